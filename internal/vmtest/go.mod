module github.com/policyroute/policyroute/internal/vmtest

go 1.25.0

require golang.org/x/sys v0.47.0
