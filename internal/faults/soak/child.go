//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// child is the world, as a process of its own.
type child struct {
	places places
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *json.Decoder
}

// startWorld starts this program again, as the world. Where ctx ends, it is killed.
func startWorld(ctx context.Context) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, worldArgument)
	cmd.Stderr = os.Stderr
	c := &child{cmd: cmd}
	if c.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = json.NewDecoder(out)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if err := c.out.Decode(&c.places); err != nil {
		return nil, errors.Join(fmt.Errorf("the world does not come up: %w", err), c.end())
	}
	return c, nil
}

// say says one of the words that the world knows, and waits until it is so.
func (c *child) say(word string) (counts map[string]int, err error) {
	if _, err := fmt.Fprintln(c.in, word); err != nil {
		return nil, err
	}
	if err := c.out.Decode(&counts); err != nil {
		return nil, fmt.Errorf("the world does not answer to %q: %w", word, err)
	}
	return counts, nil
}

// end ends the world, servers and all.
func (c *child) end() error {
	_ = c.in.Close() // which is what it waits for
	return c.cmd.Wait()
}
