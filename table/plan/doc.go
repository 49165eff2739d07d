// Package plan has the steps of a change to rules, routes and the names of tables,
// their text, and the way to do all of them or none.
//
// A [Plan] is made by functions such as table.PlanInstall. It prints as the shell
// commands that come to the same, and [Plan.Apply] does it: if a step fails, the
// steps before it are undone, newest first, and a [*StepError] says which step
// failed and what, if anything, is left.
package plan
