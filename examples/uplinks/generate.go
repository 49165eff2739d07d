package main

//go:generate sh -c "go run . man 8 >uplinks.8; go run . man 5 >uplinks.conf.5"
