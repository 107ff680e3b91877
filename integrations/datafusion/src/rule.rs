use std::{collections::BTreeSet, sync::Arc};

use datafusion::{
    common::tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    config::ConfigOptions,
    error::Result,
    physical_expr::ScalarFunctionExpr,
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::ExecutionPlan,
};

use crate::{
    exec::{GuestsExec, QueryExec},
    functions::Functions,
    udf::Udf,
};

/// Puts a [`GuestsExec`] above each node that evaluates functions, and a [`QueryExec`] above the plan.
#[derive(Debug)]
pub(crate) struct Rule(Functions);

impl Rule {
    pub(crate) fn new(functions: Functions) -> Self {
        Self(functions)
    }
}

impl PhysicalOptimizerRule for Rule {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let query = self.0.query();
        let plan = plan.transform_up(|node| {
            let functions = functions_of(&*node)?;
            if functions.is_empty() {
                return Ok(Transformed::no(node));
            }
            let node: Arc<dyn ExecutionPlan> = Arc::new(GuestsExec::new(node, functions, query.clone()));
            Ok(Transformed::yes(node))
        })?;
        match plan.transformed {
            true => Ok(Arc::new(QueryExec::new(plan.data, query))),
            false => Ok(plan.data),
        }
    }

    fn name(&self) -> &str {
        "hotcell_functions"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Names of the functions that a node evaluates itself.
fn functions_of(node: &dyn ExecutionPlan) -> Result<BTreeSet<String>> {
    let mut functions = BTreeSet::new();
    node.apply_expressions(&mut |root| {
        root.apply(|expression| {
            let function = expression.downcast_ref::<ScalarFunctionExpr>().map(ScalarFunctionExpr::fun);
            if let Some(function) = function.filter(|function| function.inner().is::<Udf>()) {
                functions.insert(function.name().to_owned());
            }
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    Ok(functions)
}
