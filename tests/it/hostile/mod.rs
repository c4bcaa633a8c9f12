//! Hosts, files and programs that mean harm, and the whole program among them.
//!
//! Every case is a run of the binary in a world that was made for it ([`case::Case`]), and for every one of them these things
//! are asserted, whatever else its test says:
//!
//! - it ends by itself, with an exit code that is no bug (70) and no panic (101), within a stated time;
//! - it takes less than 64 MiB of memory. Nothing is subtracted for the unoptimised build of the tests, which takes up to
//!   29 MiB before anything is read;
//! - a second host on this machine gets no connection; where a request may go there, it carries neither a login nor a cookie;
//! - no request leaves this machine: the proxies of the environment are one of the test, which leads to the hosts of the case
//!   and counts what is asked for beside them, so addresses of other networks and names that do not exist are watched as well;
//! - neither password nor `Basic` login nor token is in the output, the lines of `-v` or the file of `--events`.
//!
//! The classes, and where each is:
//!
//! | class | tests |
//! |---|---|
//! | credentials on a redirect: other port, name, scheme, network, chained, in circles | `logins::a_redirect_takes_no_login_along`, `logins::who_has_left_or_goes_in_circles_gets_no_login`, `logins::a_login_does_not_change_to_another_scheme` |
//! | the place of an upload on another host, without TLS, in a private network | `logins::an_upload_that_is_led_away_has_no_login` |
//! | a hostile realm, and realms that are allowed | `logins::a_token_server_of_somebody_else_gets_no_login`, `logins::a_token_server_that_belongs_to_the_registry_gets_the_login_and_nobody_else`, `logins::a_token_server_does_not_hand_a_login_on` |
//! | foreign `urls` | `places::a_layer_that_is_said_to_be_elsewhere_is_not_looked_for_there` |
//! | pages that lead away, in circles, or never end | `places::the_next_page_is_on_the_same_host_and_there_is_a_last_one` |
//! | endless manifest, token, tags, errors, referrers, headers | `sizes::an_answer_without_an_end_ends_at_its_limit`, `sizes::what_never_comes_whole_is_given_up` |
//! | longer or shorter than said, a wrong `Content-Length` | `sizes::a_length_that_is_not_true_is_noticed` |
//! | documents and configs that grow, 10⁵ entries | `sizes::documents_that_grow_when_they_are_read_are_refused`, `sizes::configs_that_grow_when_they_are_read_are_refused` |
//! | gzip and zstd bombs | `sizes::layers_that_grow_when_they_are_unpacked_are_findings` |
//! | a pinned digest, headers that lie, HEAD and GET that disagree | `content::a_digest_decides_and_not_what_a_host_says_of_it` |
//! | ambiguous documents, another `Content-Type`, a config as layer | `content::a_document_is_of_one_kind_or_refused` |
//! | digests that are none | `content::a_digest_that_is_none_reaches_no_path_and_no_url`, `places::a_reference_means_one_image_on_one_host_or_is_refused` |
//! | titles, links in layouts, archives and layers, whiteouts | `paths::a_title_is_no_file_name`, `paths::a_link_in_a_layout_is_not_followed`, `paths::an_archive_holds_each_file_once_and_no_links`, `paths::names_in_a_layer_stay_in_the_layer` |
//! | panics | `panics::the_seeds_of_the_fuzz_targets_are_no_bug`, `panics::an_answer_without_what_belongs_into_it_is_no_bug` |
//! | credential helpers | `secrets::a_credential_helper_is_a_name_has_little_time_and_little_to_say` |
//! | secrets in what is told | `secrets::signatures_tokens_and_passwords_are_never_said`, and every other case |
//! | another writer between look and tag | `secrets::another_writer_between_the_look_and_the_tag_is_seen_and_no_other_tag_moves` |
//! | references that look like this machine | `places::what_only_looks_like_this_machine_is_asked_with_tls` |
//! | circles, depth, platforms that are there twice or not, swapped attestations | `content::an_image_that_cannot_be_is_told_of` |
//! | words that steer a terminal | `content::words_of_an_image_do_not_steer_the_terminal`, and every other case |
//! | proxies that lead, refuse, babble and hang, what goes around them | `ways::a_host_with_tls_is_reached_through_a_tunnel_and_the_proxy_learns_no_login_of_it`, `ways::a_host_without_tls_is_asked_through_the_proxy`, `ways::a_proxy_may_be_spoken_to_with_tls`, `ways::what_no_proxy_lists_and_this_machine_are_asked_directly`, `ways::a_variable_that_names_no_proxy_is_not_gone_around`, `ways::a_proxy_that_does_not_do_its_work_is_told_of` |
//! | certificates that nobody vouches for, of other names and times | `ways::a_host_that_nobody_vouches_for_is_not_spoken_to` |
//! | nothing odd at all, for comparison | `sizes::a_host_that_is_honest_takes_no_more_than_it_must` |
#![cfg(target_os = "linux")]

mod case;
mod content;
mod images;
mod logins;
mod panics;
mod paths;
mod places;
mod secrets;
mod sizes;
mod ways;

use std::collections::BTreeSet;

/// The tests in these files, as `module::name`.
fn tests() -> BTreeSet<String> {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/hostile");
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(here).unwrap() {
        let path = entry.unwrap().path();
        let module = path.file_stem().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let names = text.split("#[test]\nfn ").skip(1).filter_map(|rest| rest.split('(').next());
        found.extend(names.filter(|_| module != "mod").map(|name| format!("{module}::{name}")));
    }
    found
}

#[test]
fn the_table_names_every_test() {
    let text = include_str!("mod.rs");
    let table = text.lines().filter_map(|line| line.strip_prefix("//! | "));
    let words = table.flat_map(|row| row.split('`').skip(1).step_by(2));
    let named: BTreeSet<String> = words.filter(|word| word.contains("::")).map(str::to_owned).collect();
    assert_eq!(named, tests());
}
