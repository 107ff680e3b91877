// What the suite says, held against what is expected of it here.

/** Runs the wanted checks. `run` starts the program with arguments, and returns what it printed, or throws. */
export function judgeAll(run, isWanted, expected) {
  const ids = run([]).trim().split("\n").filter(isWanted);
  const counts = { passed: 0, unsupported: 0, elsewhere: 0, assertions: 0, modules: 0 };
  const surprises = [];
  for (const id of ids) {
    const entry = judge(run, id);
    const isElsewhere = id in expected.elsewhere;
    const isFine = ["passed", "unsupported"].includes(entry.verdict);
    if (isFine === isElsewhere) surprises.push(`${id}: ${isFine ? "it passes, and is listed as not" : entry.failure}`);
    counts[isElsewhere ? "elsewhere" : entry.verdict] += 1;
    counts.assertions += entry.assertions;
    counts.modules += entry.modules;
  }
  const { passed, unsupported, elsewhere, assertions, modules } = counts;
  const line =
    `${ids.length} checks: ${passed} passed, ${surprises.length} not as expected, ${unsupported} unsupported, ` +
    `${elsewhere} that cannot pass here; ${assertions} assertions, ${modules} modules`;
  return { counts, surprises, line };
}

function judge(run, id) {
  try {
    return JSON.parse(run([id]));
  } catch (error) {
    return { verdict: "failed", failure: String(error), assertions: 0, modules: 0 };
  }
}
