// Package walls has the test that holds the imports of all packages of the module
// against a table of what each may import. See walls_test.go.
package walls
