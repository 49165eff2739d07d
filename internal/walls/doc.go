// Package walls has a test that compares the imports of all packages of the module with
// a table of allowed imports. See walls_test.go.
package walls
