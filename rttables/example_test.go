package rttables_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing/fstest"

	"github.com/policyroute/policyroute/rttables"
)

// A program would load from os.DirFS("/").
var root = fstest.MapFS{
	"usr/share/iproute2/rt_tables":     {Data: []byte("255 local\n254 main\n253 default\n0 unspec\n")},
	"etc/iproute2/rt_tables.d/me.conf": {Data: []byte("20 lan2 # second uplink\n")},
	"usr/share/iproute2/rt_protos":     {Data: []byte("186 bgp\n210 policyroute\n")},
}

func Example() {
	names, err := rttables.Load(root)
	if err != nil {
		fmt.Println(err) // a damaged file: names has what ip(8) has
	}
	id, err := names.Parse("lan2")
	fmt.Println(uint32(id), err)
	fmt.Println(names.Name(20), names.Name(21), names.Name(rttables.Main))
	// Output:
	// 20 <nil>
	// lan2 21 main
}

func ExampleLoad() {
	names, err := rttables.Load(root)
	if err != nil {
		fmt.Println(err)
	}
	for id, name := range names.All() {
		fmt.Println(uint32(id), name)
	}
	fmt.Println(names.Protos().Name(210))
	_, err = names.Parse("lna2")
	fmt.Println(err)
	// Output:
	// 0 unspec
	// 20 lan2
	// 253 default
	// 254 main
	// 255 local
	// policyroute
	// unknown table "lna2" (did you mean "lan2"?)
}

// A name for a table, in a directory that a program would leave empty for /etc/iproute2.
func ExampleRegister() {
	etc, err := os.MkdirTemp("", "iproute2")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(etc)
	ctx := context.Background()
	fmt.Println(rttables.Register(ctx, etc, 20, "lan2"))
	files, err := rttables.ReadFiles(etc)
	fmt.Println(files.Registered(20, "lan2"), err)
	fmt.Println(rttables.Unregister(ctx, etc, 20, "lan2"))
	// Output:
	// <nil>
	// true <nil>
	// <nil>
}

func ExampleParseID() {
	for _, s := range []string{"0x14", "main", "010"} {
		fmt.Println(rttables.ParseID(s))
	}
	// Output:
	// 20 <nil>
	// main <nil>
	// 0 rttables: table "010": a leading zero, with which ip(8) reads an octal number: invalid syntax
}

func ExampleFile() {
	f, err := rttables.ParseFile([]byte("255\tlocal\n254\tmain\n# uplinks\n10\tlan1\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	id, _ := f.NextFree(10)
	if err := f.Set(id, "lan2", "second uplink"); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(f.Set(id, "lan3", ""))
	fmt.Printf("%s", f.Bytes())
	// Output:
	// rt_tables entry 11 "lan3": line 5: ID 11 is already named "lan2"
	// 255	local
	// 254	main
	// # uplinks
	// 10	lan1
	// 11	lan2 # second uplink
}

func ExampleEdit() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "rt_tables")

	err = rttables.Edit(context.Background(), path, func(f *rttables.File) error {
		return f.Set(20, "lan2", "second uplink")
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	b, err := os.ReadFile(path)
	fmt.Printf("%s%v\n", b, err)
	// Output:
	// 20	lan2 # second uplink
	// <nil>
}
