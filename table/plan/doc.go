// Package plan represents a change to rules, routes and the names of tables as a list
// of steps. It prints the steps, and applies all of them or none.
//
// Functions such as table.PlanInstall make a [Plan]. Its text is the equivalent shell
// commands. [Plan.Apply] does the steps. If a step fails, Apply undoes the steps before
// it, newest first, and the [*StepError] says which step failed and which steps, if
// any, could not be undone.
package plan
