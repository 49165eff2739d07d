// Package show prints routes, rules and nexthop objects byte for byte as ip(8)
// of iproute2 7.1 does: as text or JSON, with or without details, statistics and
// names.
//
//	routes, err := route.List(ctx, c, route.Filter{Table: rttables.Main})
//	if err != nil {
//		return err
//	}
//	names, err := route.ListNames(ctx, c)
//	if err != nil {
//		return err
//	}
//	fmt.Print(show.Routes(routes, show.Style{
//		Names: names,
//		Omit:  show.OmitTable, // as "ip route show" does
//	}))
//
// [Routes], [Rules] and [NextHops] print lists, [Route], [Rule] and [NextHop]
// one object. A [Style] has the options of ip(8) and the names.
//
// This output is for people, and for programs that read the output of ip(8). It is not
// complete, because ip(8) leaves out attributes that it has no word for. The String
// methods of the objects are complete, and the Parse functions read their text.
package show
