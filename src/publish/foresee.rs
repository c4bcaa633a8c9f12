//! Every action that is left, by carrying them out on the observation instead of the world.

use super::diff::{Action, diff};
use super::{Job, Marker, Memory, PublishError, State};
use crate::port::{Release, ReleaseId, StoredAsset, StoredState, Visibility};

/// The actions a run would take now if nothing went wrong, in order.
pub fn foresee(job: &Job<'_>, state: &State) -> Result<Vec<Action>, PublishError> {
    let mut state = state.clone();
    let mut memory = Memory::default();
    let mut actions = Vec::new();
    while let Some(action) = diff(job, &state, &memory)? {
        pretend(job, &mut state, &mut memory, &action);
        actions.push(action);
    }
    Ok(actions)
}

fn pretend(job: &Job<'_>, state: &mut State, memory: &mut Memory, action: &Action) {
    match action {
        Action::DropDuplicate(id) => state.ours.retain(|draft| draft.id != *id),
        Action::Attach(at, referrer) => state.images[*at].unattached.retain(|position| position != referrer),
        Action::CreateDraft => state.ours.push(Release {
            id: ReleaseId("new".to_owned()),
            tag: job.manifest.tag.clone(),
            visibility: Visibility::Draft,
            prerelease: job.manifest.prerelease,
            title: String::new(),
            body: Marker { rid: job.rid, nonce: job.nonce.to_owned() }.append(job.notes),
            assets: Vec::new(),
        }),
        Action::RemoveAsset(_, name) => {
            for draft in &mut state.ours {
                draft.assets.retain(|stored| stored.name != name.as_str());
            }
        }
        Action::Upload(id, asset) => {
            let stored = StoredAsset {
                name: asset.name.to_string(),
                size: asset.size,
                digest: Some(asset.digest),
                state: StoredState::Uploaded,
            };
            state
                .ours
                .iter_mut()
                .filter(|draft| draft.id == *id)
                .for_each(|draft| draft.assets.push(stored.clone()));
        }
        Action::Describe(_, body) => {
            for draft in &mut state.ours {
                draft.body.clone_from(body);
                draft.prerelease = job.manifest.prerelease;
            }
        }
        Action::ReadBack(id, asset) => {
            memory.read_back.insert((id.clone(), asset.name.clone()));
        }
        Action::TagVersion(at, tag) | Action::TagRolling(at, tag) => {
            state.images[*at].tags.insert(tag.clone(), job.manifest.images[*at].digest);
        }
        Action::Publish(_) => {
            let mut drafts = std::mem::take(&mut state.ours);
            for draft in &mut drafts {
                draft.visibility = Visibility::Published;
            }
            state.published = drafts;
        }
        Action::SetLatest(_) => state.latest = Some(job.manifest.tag.clone()),
    }
}
