//! The nodes that this crate adds to a plan.

use std::{
    collections::BTreeSet,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use datafusion::{
    arrow::{array::RecordBatch, datatypes::SchemaRef},
    common::{runtime::SpawnedTask, tree_node::TreeNodeRecursion},
    error::Result,
    execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext},
    physical_expr::PhysicalExpr,
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties,
        metrics::{ExecutionPlanMetricsSet, MetricsSet},
        stream::RecordBatchReceiverStream,
    },
};
use futures::{Stream, StreamExt};

use crate::{
    query::{Query, Reader},
    scope::{Entered, Scope},
};

/// Batches that wait for the reader of a partition.
const WAITING_BATCHES: usize = 2;

/// Stands above a node that evaluates functions: tells them their partition and its pool of memory, and has their metrics.
#[derive(Clone, Debug)]
pub struct GuestsExec {
    input: Arc<dyn ExecutionPlan>,
    functions: BTreeSet<String>,
    metrics: ExecutionPlanMetricsSet,
}

impl GuestsExec {
    pub(crate) fn new(input: Arc<dyn ExecutionPlan>, functions: BTreeSet<String>) -> Self {
        Self { input, functions, metrics: ExecutionPlanMetricsSet::new() }
    }
}

/// Stands above the whole plan: runs it in tasks of its own, and ends the guests when nobody reads any more.
#[derive(Clone, Debug)]
pub struct QueryExec {
    input: Arc<dyn ExecutionPlan>,
    query: Arc<Query>,
    /// Of functions that are evaluated in tasks of their own.
    metrics: ExecutionPlanMetricsSet,
}

impl QueryExec {
    pub(crate) fn new(input: Arc<dyn ExecutionPlan>, query: Arc<Query>) -> Self {
        Self { input, query, metrics: ExecutionPlanMetricsSet::new() }
    }
}

impl DisplayAs for GuestsExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let functions: Vec<&str> = self.functions.iter().map(String::as_str).collect();
        write!(f, "GuestsExec: functions=[{}]", functions.join(", "))
    }
}

impl DisplayAs for QueryExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QueryExec")
    }
}

/// What is the same in both: they change no row, and no order.
macro_rules! passes_through {
    () => {
        fn properties(&self) -> &Arc<PlanProperties> {
            self.input.properties()
        }

        fn maintains_input_order(&self) -> Vec<bool> {
            vec![true]
        }

        fn benefits_from_input_partitioning(&self) -> Vec<bool> {
            vec![false]
        }

        fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
            vec![&self.input]
        }

        fn apply_expressions(
            &self,
            _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
        ) -> Result<TreeNodeRecursion> {
            Ok(TreeNodeRecursion::Continue)
        }
    };
}

impl ExecutionPlan for GuestsExec {
    passes_through!();

    fn name(&self) -> &str {
        "GuestsExec"
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self::new(children.swap_remove(0), self.functions.clone())))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let scope = Scope::new(Some(partition), context.memory_pool().clone(), &self.metrics);
        let input = self.input.execute(partition, context)?;
        Ok(Box::pin(Scoped { input, scope: Arc::new(scope) }))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

impl ExecutionPlan for QueryExec {
    passes_through!();

    fn name(&self) -> &str {
        "QueryExec"
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self::new(children.swap_remove(0), self.query.clone())))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let elsewhere = || Arc::new(Scope::new(None, context.memory_pool().clone(), &self.metrics));
        self.query.elsewhere.get_or_init(elsewhere);
        let reader = self.query.read();
        let mut builder = RecordBatchReceiverStream::builder(self.schema(), WAITING_BATCHES);
        let watch = reader.has_deadline().then(|| SpawnedTask::spawn(reader.watch()));
        let mut input = self.input.execute(partition, context)?;
        let sender = builder.tx();
        builder.spawn(async move {
            while let Some(batch) = input.next().await {
                let is_last = batch.is_err();
                if sender.send(batch).await.is_err() || is_last {
                    break;
                }
            }
            Ok(())
        });
        Ok(Box::pin(Read { input: builder.build(), _reader: reader, _watch: watch }))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// Sets the scope while the node below is polled: what it evaluates then is its own.
struct Scoped {
    input: SendableRecordBatchStream,
    scope: Arc<Scope>,
}

impl Stream for Scoped {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let _entered = Entered::new(&self.scope);
        self.input.poll_next_unpin(cx)
    }
}

impl RecordBatchStream for Scoped {
    fn schema(&self) -> SchemaRef {
        self.input.schema()
    }
}

/// A partition that somebody reads.
struct Read {
    input: SendableRecordBatchStream,
    _reader: Reader,
    /// Ends with its reader.
    _watch: Option<SpawnedTask<()>>,
}

impl Stream for Read {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.input.poll_next_unpin(cx)
    }
}

impl RecordBatchStream for Read {
    fn schema(&self) -> SchemaRef {
        self.input.schema()
    }
}
