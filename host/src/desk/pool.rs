//! Requests to the exchange that are under way: so many at once, the rest in a queue.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;

use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};

use super::io::Input;

/// A request under way; it ends with what the desk is to be told.
type Running = Pin<Box<dyn Future<Output = Input>>>;

/// Requests of one kind. Kinds have pools of their own, so that cancels never wait for orders.
pub(super) struct Pool<T> {
    running: FuturesUnordered<Running>,
    waiting: VecDeque<T>,
    running_max: usize,
}

impl<T> Pool<T> {
    pub(super) fn new(running_max: usize) -> Self {
        Self { running: FuturesUnordered::new(), waiting: VecDeque::new(), running_max }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.running.is_empty() && self.waiting.is_empty()
    }

    /// Whether one more could start now.
    pub(super) fn has_room(&self) -> bool {
        self.running.len() < self.running_max
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn start(&mut self, request: impl Future<Output = Input> + 'static) {
        self.running.push(Box::pin(request));
    }

    pub(super) fn wait(&mut self, request: T) {
        self.waiting.push_back(request);
    }

    /// The next that waited, if there is room for it.
    pub(super) fn next_waiting(&mut self) -> Option<T> {
        if self.has_room() { self.waiting.pop_front() } else { None }
    }

    /// Runs what was started up to where it waits for the network, without waiting: a request
    /// is on its way before this returns. Gives one that has ended already.
    pub(super) fn push_on(&mut self) -> Option<Input> {
        self.running.next().now_or_never().flatten()
    }

    /// The next that ends. Waits for ever while none runs.
    pub(super) async fn ended(&mut self) -> Input {
        match self.running.next().await {
            Some(input) => input,
            None => std::future::pending().await,
        }
    }
}
