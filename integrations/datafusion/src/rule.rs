//! How a query gets its limits: its functions are bound to it when it is analyzed, and its plan gets nodes when it is planned.

use std::{collections::BTreeSet, sync::Arc};

use datafusion::{
    common::tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    config::ConfigOptions,
    error::Result,
    logical_expr::{Expr, LogicalPlan, ScalarUDFImpl, expr::ScalarFunction},
    optimizer::AnalyzerRule,
    physical_expr::ScalarFunctionExpr,
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::ExecutionPlan,
};

use crate::{
    exec::{GuestsExec, QueryExec},
    functions::Functions,
    query::Query,
    udf::Udf,
};

/// Binds every function to a new query.
#[derive(Debug)]
pub(crate) struct Bind(pub(crate) Functions);

impl AnalyzerRule for Bind {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let query = self.0.query();
        let plan = plan.transform_up_with_subqueries(|node| {
            node.map_expressions(|root| root.transform_up(|expression| Ok(bind(expression, &query))))
        })?;
        Ok(plan.data)
    }

    fn name(&self) -> &str {
        "hotcell_bind"
    }
}

fn bind(expression: Expr, query: &Arc<Query>) -> Transformed<Expr> {
    let Expr::ScalarFunction(ScalarFunction { func, args }) = expression else {
        return Transformed::no(expression);
    };
    match func.inner().downcast_ref::<Udf>().map(|udf| Arc::new(udf.within(query))) {
        Some(func) => Transformed::yes(Expr::ScalarFunction(ScalarFunction { func, args })),
        None => Transformed::no(Expr::ScalarFunction(ScalarFunction { func, args })),
    }
}

/// Puts a [`GuestsExec`] above each node that evaluates functions, and a [`QueryExec`] above the plan.
#[derive(Debug)]
pub(crate) struct Place;

impl PhysicalOptimizerRule for Place {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let mut query = None;
        let plan = plan.transform_up(|node| {
            let functions = functions_of(&*node, &mut query)?;
            if functions.is_empty() {
                return Ok(Transformed::no(node));
            }
            let node: Arc<dyn ExecutionPlan> = Arc::new(GuestsExec::new(node, functions));
            Ok(Transformed::yes(node))
        })?;
        Ok(match query {
            Some(query) => Arc::new(QueryExec::new(plan.data, query)),
            None => plan.data,
        })
    }

    fn name(&self) -> &str {
        "hotcell_place"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Names of the functions that a node evaluates itself; their query goes to `query`.
fn functions_of(node: &dyn ExecutionPlan, query: &mut Option<Arc<Query>>) -> Result<BTreeSet<String>> {
    let mut functions = BTreeSet::new();
    node.apply_expressions(&mut |root| {
        root.apply(|expression| {
            let function = expression.downcast_ref::<ScalarFunctionExpr>().map(ScalarFunctionExpr::fun);
            if let Some(udf) = function.and_then(|function| function.inner().downcast_ref::<Udf>()) {
                functions.insert(udf.name().to_owned());
                *query = query.take().or_else(|| udf.query().cloned());
            }
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    Ok(functions)
}
