package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/maintain"
)

// sharedWord is the first word of the line about the shared default route.
const sharedWord = "default"

// sharedName is the name of the shared default route in events.
const sharedName = "(default)"

// sharedWords are the words of the line about the shared default route.
var sharedWords = iptext.Table[maintain.Default]{
	{Names: []string{"table"}, Parse: func(w *iptext.Words, d *maintain.Default) (err error) {
		d.Table, err = argTable(w)
		return err
	}},
	{Names: []string{"metric"}, Parse: func(w *iptext.Words, d *maintain.Default) (err error) {
		d.Metric, err = argPositive[uint32](w, "a metric", 32, "want 1 or more: the default is 50")
		return err
	}},
}

// parseShared parses the line about the shared default route, which is the n-th.
func (c *config) parseShared(n int, words []string) error {
	position := c.position(n)
	if c.shared != nil {
		return fmt.Errorf("%s: %s: already given on line %d", position, sharedWord, c.sharedLine)
	}
	c.shared, c.sharedLine = new(maintain.Default), n
	w := iptext.Split(position, strings.Join(words, " "))
	w.Take()
	for w.More() {
		if err := sharedWords.Parse(w, c.shared, "a word of the line "+sharedWord); err != nil {
			return err
		}
	}
	return nil
}

// setShared sets the shared default route if an uplink has a weight, and checks it.
func (c *config) setShared() error {
	for i := range c.uplinks {
		u := &c.uplinks[i]
		switch {
		case u.Weight == 0:
		case c.shared == nil:
			c.shared, c.sharedLine = &maintain.Default{Protocol: u.Protocol}, u.line
		case c.shared.Protocol == 0:
			c.shared.Protocol = u.Protocol
		}
	}
	if c.shared == nil {
		return nil
	}
	if id := c.shared.Table; id == rttables.Compat || id == rttables.Local {
		return fmt.Errorf("%s: %s: %d is a system table", c.position(c.sharedLine), sharedWord, uint32(id))
	}
	weight := 0
	for _, u := range c.uplinks {
		if u.Table != 0 && u.Table == c.shared.Table {
			return fmt.Errorf("%s: table: %d is also the table of the shared default", c.position(u.line), uint32(u.Table))
		}
		if cmp.Or(u.Protocol, table.Protocol) != cmp.Or(c.shared.Protocol, table.Protocol) {
			return fmt.Errorf("%s: proto: uplinks that share a default route need the same protocol", c.position(u.line))
		}
		weight += u.Weight
	}
	if weight == 0 {
		return fmt.Errorf("%s: %s: no uplink has a weight, so no uplink shares the route", c.position(c.sharedLine), sharedWord)
	}
	return nil
}
