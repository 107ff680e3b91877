use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use hotcell::{Blame, CancelToken};
use parking_lot::Mutex;

use crate::{failure::Cause, scope::Scope};

/// What all guests of a query share: its fuel, its time, and its end.
#[derive(Debug)]
pub(crate) struct Query {
    fuel: Option<u64>,
    time: Option<Duration>,
    used: AtomicU64,
    state: Mutex<State>,
    /// Where batches count whose partition is unknown. Set when the query is executed.
    pub(crate) elsewhere: OnceLock<Arc<Scope>>,
}

#[derive(Debug, Default)]
struct State {
    cancel: CancelToken,
    /// Partitions that somebody reads.
    readers: usize,
    begin: Option<Instant>,
    /// Why no guest may run any more.
    end: Option<End>,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Fuel,
    Time,
}

impl Query {
    pub(crate) fn new(fuel: Option<u64>, time: Option<Duration>) -> Arc<Self> {
        Arc::new(Self { fuel, time, used: AtomicU64::new(0), state: Mutex::default(), elsewhere: OnceLock::new() })
    }

    /// Somebody reads a partition. When nobody does any more, the guests end.
    pub(crate) fn read(self: &Arc<Self>) -> Reader {
        let mut state = self.state.lock();
        if state.readers == 0 && state.end.is_none() {
            state.cancel = CancelToken::new();
        }
        state.readers += 1;
        let begin = *state.begin.get_or_insert_with(Instant::now);
        Reader { query: self.clone(), deadline: self.time.map(|time| begin + time) }
    }

    /// What ends the guests that begin now.
    pub(crate) fn cancel(&self) -> CancelToken {
        self.state.lock().cancel.clone()
    }

    /// Whether another batch may begin.
    pub(crate) fn check(&self) -> Result<(), Cause> {
        let mut state = self.state.lock();
        let is_late = self.time.zip(state.begin).is_some_and(|(time, begin)| begin.elapsed() >= time);
        if is_late {
            state.end.get_or_insert(End::Time);
        }
        state.end.map_or(Ok(()), |end| Err(self.cause(end)))
    }

    /// Counts what a batch has used. With more than the query has, every guest of the query ends.
    pub(crate) fn charge(&self, fuel: u64) -> Result<(), Cause> {
        let used = self.used.fetch_add(fuel, Ordering::Relaxed).saturating_add(fuel);
        match self.fuel {
            Some(allowed) if used > allowed => {
                self.end(End::Fuel);
                Err(self.cause(End::Fuel))
            }
            _ => Ok(()),
        }
    }

    fn end(&self, end: End) {
        let mut state = self.state.lock();
        state.end.get_or_insert(end);
        state.cancel.cancel();
    }

    fn cause(&self, end: End) -> Cause {
        match end {
            End::Fuel => {
                let (used, allowed) = (self.used.load(Ordering::Relaxed), self.fuel.unwrap_or_default());
                Cause::new("query-fuel", Blame::Guest, format!("the query has used {used} fuel, it may use {allowed}"))
            }
            End::Time => {
                let time = self.time.unwrap_or_default();
                Cause::new("query-deadline", Blame::Guest, format!("the query has run for {time:?}"))
            }
        }
    }
}

/// Somebody who reads a partition.
#[derive(Debug)]
pub(crate) struct Reader {
    query: Arc<Query>,
    deadline: Option<Instant>,
}

impl Reader {
    /// Ends the guests at the query's deadline. Never returns without one.
    pub(crate) fn watch(&self) -> impl Future<Output = ()> + Send + 'static {
        let (query, deadline) = (self.query.clone(), self.deadline);
        async move {
            match deadline {
                Some(deadline) => {
                    tokio::time::sleep_until(deadline.into()).await;
                    query.end(End::Time);
                }
                None => std::future::pending().await,
            }
        }
    }

    pub(crate) fn has_deadline(&self) -> bool {
        self.deadline.is_some()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut state = self.query.state.lock();
        state.readers -= 1;
        if state.readers == 0 {
            state.cancel.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fuel_is_the_querys_to_the_unit() {
        let query = Query::new(Some(10), None);
        let _reader = query.read();
        let token = query.cancel();
        query.charge(4).unwrap();
        query.charge(6).unwrap();
        query.check().unwrap();
        assert!(!token.is_cancelled());
        assert_eq!(query.charge(1).unwrap_err().code, "query-fuel");
        assert_eq!(query.check().unwrap_err().code, "query-fuel");
        assert!(token.is_cancelled());
    }

    #[test]
    fn guests_end_with_the_last_reader() {
        let query = Query::new(None, None);
        let (first, second) = (query.read(), query.read());
        let token = query.cancel();
        drop(first);
        assert!(!token.is_cancelled());
        drop(second);
        assert!(token.is_cancelled());
        let _third = query.read();
        assert!(!query.cancel().is_cancelled(), "partitions may be read one after another");
    }

    #[test]
    fn a_query_that_is_late_begins_no_batch() {
        let query = Query::new(None, Some(Duration::ZERO));
        query.check().unwrap();
        let _reader = query.read();
        assert_eq!(query.check().unwrap_err().code, "query-deadline");
    }
}
