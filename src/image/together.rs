//! Several requests side by side on one thread.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

/// Most requests of one command that wait at the same time.
pub(super) const AT_ONCE: usize = 8;

/// Runs every future, at most `at_once` of them at a time, started in their order. The answers are in the order of the
/// futures.
pub(super) async fn together<T, F: Future<Output = T>>(
    at_once: usize,
    futures: impl IntoIterator<Item = F>,
) -> Vec<T> {
    let mut waiting = futures.into_iter().enumerate();
    let mut running: Vec<(usize, Pin<Box<F>>)> = Vec::new();
    let mut done: Vec<Option<T>> = Vec::new();
    poll_fn(|context| {
        loop {
            let mut position = 0;
            while position < running.len() {
                let (place, future) = &mut running[position];
                if let Poll::Ready(answer) = future.as_mut().poll(context) {
                    done[*place] = Some(answer);
                    running.remove(position);
                } else {
                    position += 1;
                }
            }
            // Something that is started now has not been polled yet, so the loop goes round once more.
            let free = at_once.max(1).saturating_sub(running.len());
            let started = running.len();
            for (place, future) in waiting.by_ref().take(free) {
                done.push(None);
                running.push((place, Box::pin(future)));
            }
            if running.is_empty() {
                return Poll::Ready(());
            }
            if running.len() == started {
                return Poll::Pending;
            }
        }
    })
    .await;
    done.into_iter().flatten().collect()
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
}
