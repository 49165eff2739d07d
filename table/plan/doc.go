// Package plan has the steps of a change to rules, routes and the names of tables,
// their text, and the function that does all of them or none.
//
// A [Plan] is made by functions such as table.PlanInstall. Its text is the equivalent
// shell commands, and [Plan.Apply] does it. If a step fails, the steps before it are
// undone, newest first, and a [*StepError] says which step failed and which steps, if
// any, could not be undone.
package plan
