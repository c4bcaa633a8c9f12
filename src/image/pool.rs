//! Work that waits side by side, in one thread.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn keeps_the_order_and_the_bound() {
        let (running, most) = (Cell::new(0), Cell::new(0));
        let work = |number: usize| {
            let (running, most) = (&running, &most);
            async move {
                running.set(running.get() + 1);
                most.set(most.get().max(running.get()));
                for _ in 0..(7 - number) {
                    tokio::task::yield_now().await;
                }
                running.set(running.get() - 1);
                Ok::<_, ()>(number)
            }
        };
        assert_eq!(side_by_side(3, (0..7).map(work)).await, Ok((0..7).collect()));
        assert_eq!(most.get(), 3);
        most.set(0);
        assert_eq!(side_by_side(0, (0..2).map(work)).await, Ok(vec![0, 1]));
        assert_eq!(most.get(), 1);
        assert_eq!(
            side_by_side(3, std::iter::empty::<std::future::Ready<Result<(), ()>>>()).await,
            Ok(vec![])
        );
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
