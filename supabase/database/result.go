package database

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Result is a raw answer.
type Result struct {
	Status int
	Header http.Header
	Body   []byte // empty where the server has nothing to tell
	Total  int64  // rows that the filters leave or a write hit; -1: the query asked for no Count
	Offset int64  // number of the first row of Body, from 0; -1: unknown, or there is none
}

// Page is a part of the rows.
type Page[T any] struct {
	Rows   []T   // never nil
	Total  int64 // rows that the filters leave; -1: the query asked for no Count
	Offset int64 // number of the first of Rows, from 0; -1: there is none
}

// Decode decodes a body of JSON into v, a pointer.
func (r *Result) Decode(v any) error {
	if len(r.Body) == 0 {
		return fmt.Errorf("database: an answer of status %d without a body cannot be decoded", r.Status)
	}
	if err := json.Unmarshal(r.Body, v); err != nil {
		return fmt.Errorf("database: decode the answer: %w", err)
	}
	return nil
}

// RolledBack reports whether the server undid the write, as [Query.Rollback] asked.
func (r *Result) RolledBack() bool {
	for _, line := range r.Header.Values("Preference-Applied") {
		for p := range strings.SplitSeq(line, ",") {
			if strings.TrimSpace(p) == "tx=rollback" {
				return true
			}
		}
	}
	return false
}

// contentRange reads "0-24/3573458", where each side may be "*". What is not there is -1.
func contentRange(h http.Header) (offset, total int64) {
	span, all, _ := strings.Cut(h.Get("Content-Range"), "/")
	first, _, _ := strings.Cut(span, "-")
	return number(first), number(all)
}

func number(s string) int64 {
	if s == "" || s == "*" { // said so often that the error is not worth its making
		return -1
	}
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil {
		return -1
	}
	return int64(n)
}

// decodeRows decodes a list of rows. A function that returns one value is a list of one; one that
// returns NULL, of none.
func decodeRows[T any](body []byte) ([]T, error) {
	body = bytes.TrimSpace(body)
	if len(body) == 0 || string(body) == "null" {
		return []T{}, nil
	}
	if body[0] != '[' {
		rows := make([]T, 1)
		return rows, json.Unmarshal(body, &rows[0])
	}
	rows := []T{}
	return rows, json.Unmarshal(body, &rows)
}
