//! Several requests side by side on one thread.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use super::error::ImageError;
use crate::port::Progress;

/// Most requests of one command that wait at the same time.
pub(super) const AT_ONCE: usize = 8;

/// Runs every future, at most `at_once` of them at a time, started in their order. The answers are in the order of the
/// futures.
pub(super) async fn together<T, F: Future<Output = T>>(
    at_once: usize,
    futures: impl IntoIterator<Item = F>,
) -> Vec<T> {
    let work = futures.into_iter().map(|future| async { Ok::<_, Infallible>(future.await) });
    match side_by_side(at_once, work).await {
        Ok(answers) => answers,
        Err(never) => match never {},
    }
}

/// Runs work side by side, at most `jobs` of it at once, started in its order. The answers have the order of the work.
/// The first error ends all of it: what still runs is dropped where it waits.
pub(super) async fn side_by_side<F, T, E>(jobs: usize, work: impl IntoIterator<Item = F>) -> Result<Vec<T>, E>
where
    F: Future<Output = Result<T, E>>,
{
    let mut waiting = work.into_iter();
    let mut running: Vec<(usize, Pin<Box<F>>)> = Vec::new();
    let mut answers: Vec<Option<T>> = Vec::new();
    poll_fn(|context| {
        loop {
            while running.len() < jobs.max(1) {
                let Some(next) = waiting.next() else { break };
                running.push((answers.len(), Box::pin(next)));
                answers.push(None);
            }
            let before = running.len();
            let mut at = 0;
            while at < running.len() {
                match running[at].1.as_mut().poll(context) {
                    Poll::Pending => at += 1,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Ready(Ok(answer)) => {
                        let (position, _) = running.remove(at);
                        answers[position] = Some(answer);
                    }
                }
            }
            if running.is_empty() && before == 0 {
                return Poll::Ready(Ok(()));
            }
            if running.len() == before {
                return Poll::Pending;
            }
        }
    })
    .await?;
    Ok(answers.into_iter().flatten().collect())
}

/// How often is looked whether somebody asked to stop.
const LOOKED: Duration = Duration::from_millis(50);

/// Work that may be dropped where it waits as soon as somebody asks to stop.
pub(super) async fn unless_stopped<T>(
    progress: &dyn Progress,
    work: impl Future<Output = Result<T, ImageError>>,
) -> Result<T, ImageError> {
    let stopped = async {
        while !progress.stop_requested() {
            tokio::time::sleep(LOOKED).await;
        }
    };
    tokio::select! {
        done = work => done,
        () = stopped => Err(ImageError::Stopped),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn answers_come_in_order_and_never_more_run_than_allowed() {
        let (running, most) = (Cell::new(0), Cell::new(0));
        let answers = together(
            3,
            (0..10_u32).map(|number| {
                let (running, most) = (&running, &most);
                async move {
                    running.set(running.get() + 1);
                    most.set(most.get().max(running.get()));
                    for _ in 0..(10 - number) {
                        tokio::task::yield_now().await;
                    }
                    running.set(running.get() - 1);
                    number
                }
            }),
        )
        .await;
        assert_eq!(answers, (0..10).collect::<Vec<_>>());
        assert_eq!(most.get(), 3);
        assert_eq!(together(0, std::iter::once(async { 7 })).await, [7]);
    }

    #[tokio::test]
    async fn ends_with_the_first_error() {
        let started = Cell::new(0);
        let work = |number: usize| {
            started.set(started.get() + 1);
            async move { if number == 1 { Err(number) } else { std::future::pending().await } }
        };
        assert_eq!(side_by_side::<_, (), _>(2, (0..9).map(work)).await, Err(1));
        assert_eq!(started.get(), 2);
    }
}
