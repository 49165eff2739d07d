package route

import (
	"context"
	"iter"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/rtnl"
)

// lookupBatchSize is how many queries are sent together.
const lookupBatchSize = 128

// LookupAll is [Lookup] for many packets. It yields one result for each query,
// in order: the route, or the error that Lookup returns. Many queries go to the
// kernel in one system call.
//
// If ctx ends, or the socket fails, that error is the last result. The loop can
// use c, and can end early.
func LookupAll(ctx context.Context, c Conn, queries []Query) iter.Seq2[Route, error] {
	return func(yield func(Route, error) bool) {
		var l lookupBatch
		for len(queries) > 0 {
			some := queries[:min(len(queries), lookupBatchSize)]
			queries = queries[len(some):]
			err := ctx.Err()
			if err == nil {
				err = l.ask(c, some)
			}
			if err != nil {
				yield(Route{}, &rtnl.Error{Package: "route", Verb: "lookup", Err: err})
				return
			}
			for i := range some {
				if !yield(l.results[i].route, l.results[i].err) {
					return
				}
			}
		}
	}
}

// A lookupBatch sends up to lookupBatchSize queries together.
type lookupBatch struct {
	data    []byte
	reqs    []netlink.Message
	places  []int // of each request in results
	results []lookupResult
}

type lookupResult struct {
	route Route
	err   error
}

// ask sends queries and fills in their results.
func (l *lookupBatch) ask(c Conn, queries []Query) error {
	if l.results == nil {
		l.results = make([]lookupResult, len(queries)) // no later batch is larger
	}
	l.data, l.reqs, l.places = l.data[:0], l.reqs[:0], l.places[:0]
	for i := range queries {
		q := &queries[i]
		l.results[i] = lookupResult{}
		err := q.check()
		start := len(l.data)
		if err == nil {
			l.data, err = q.append(l.data)
		}
		if err != nil {
			l.results[i].err = q.wrapError(nil, err)
			continue
		}
		// If append moves data, the requests before stay in the old array.
		l.reqs = append(l.reqs, lookupMessage(l.data[start:len(l.data):len(l.data)]))
		l.places = append(l.places, i)
	}
	return rtnl.Ask(c, l.reqs, func(i int, m netlink.Message, err error) {
		r := &l.results[l.places[i]]
		if err == nil {
			err = r.route.decode(m.Data)
		}
		if err != nil {
			r.err = queries[l.places[i]].wrapError(l.reqs[i].Data, err)
		}
	})
}
