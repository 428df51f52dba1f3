package database

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"reflect"
	"strconv"
)

// Execute runs the query and gives the raw answer: for writes, and for who wants the bytes. An
// answer that is not a 2xx is an [*Error].
func Execute(ctx context.Context, q Query[*Client]) (*Result, error) {
	r, err := fetch(ctx, q)
	if err != nil {
		return nil, err
	}
	return &r, nil
}

func fetch(ctx context.Context, q Query[*Client]) (Result, error) {
	c := q.compile()
	if c.err != nil {
		return Result{}, c.err
	}
	if q.runner == nil || q.runner.rest == nil {
		return Result{}, invalid("a query without a Client: use On")
	}
	resp, err := q.runner.rest.Do(ctx, &c.req)
	if err != nil {
		return Result{}, err
	}
	r := Result{Status: resp.Status, Header: resp.Header, Body: resp.Body}
	r.Offset, r.Total = contentRange(resp.Header)
	return r, nil
}

// All gives the rows of the query, each decoded as JSON into a T; none is []T{}. A function that
// returns one value gives one. The query is a read, a call, or a write with Select. The server may
// have a bound on the number of rows (max-rows, 1,000 on a hosted project) and leaves out the rest
// without a word: see [Pages].
func All[T any](ctx context.Context, q Query[*Client]) ([]T, error) {
	p, err := list[T](ctx, q, "All")
	return p.Rows, err
}

// Paged is [All] with the number of the first row, and the total if the query asked for a Count. A
// Range past the last row gives a page without rows.
func Paged[T any](ctx context.Context, q Query[*Client]) (Page[T], error) {
	p, err := list[T](ctx, q, "Paged")
	if e, ok := errors.AsType[*Error](err); ok && e.Code == "PGRST103" && q.compile().paged { // a Count makes an error of it
		if _, total := contentRange(e.Header()); total >= 0 {
			return Page[T]{Rows: []T{}, Total: total, Offset: -1}, nil
		}
	}
	return p, err
}

func list[T any](ctx context.Context, q Query[*Client], by string) (Page[T], error) {
	c := q.compile()
	switch {
	case c.err != nil:
		return Page[T]{}, c.err
	case c.empty != "":
		return Page[T]{}, invalid("%s: %s", c.req.Path, c.empty)
	case c.text:
		return Page[T]{}, invalid("%s: %s decodes rows, not text: use One[string] or Execute", c.req.Path, by)
	case !c.rows && !c.single:
		return Page[T]{}, invalid("%s: %s decodes rows, not a document: use One or Execute", c.req.Path, by)
	}
	r, err := fetch(ctx, q)
	if err != nil {
		return Page[T]{}, err
	}
	rows, err := decodeRows[T](r.Body)
	switch {
	case err != nil:
		return Page[T]{}, undecodable(c, advise[T](r.Body, err))
	case len(r.Body) == 0 && r.Status != http.StatusNoContent:
		return Page[T]{}, undecodable(c, errNoBody)
	case c.maybe && len(rows) > 1:
		return Page[T]{}, tooMany(c, len(rows))
	}
	return Page[T]{Rows: rows, Total: r.Total, Offset: r.Offset}, nil
}

// One gives the one row of the query, or the value that a function returns. No row is
// [ErrNotFound], more are [ErrMultipleRows]; a write that hits another number of rows is undone. With
// [Query.MaybeSingle], no row is the zero value: nil for One[*User]. Of a CSV or a plan in text,
// T is string or []byte; other documents are decoded whole.
func One[T any](ctx context.Context, q Query[*Client]) (T, error) {
	var row T
	c := q.compile()
	if c.err == nil && c.maybe {
		rows, err := All[T](ctx, q)
		if len(rows) > 0 {
			row = rows[0]
		}
		return row, err
	}
	if c.rows && c.empty == "" {
		q = q.Single()
		c = q.compile()
	}
	switch {
	case c.err != nil:
		return row, c.err
	case c.empty != "":
		return row, invalid("%s: %s", c.req.Path, c.empty)
	}
	into := reflect.ValueOf(&row).Elem()
	if c.text && into.Kind() != reflect.String && into.Type() != reflect.TypeFor[[]byte]() {
		return row, invalid("%s: the answer is text: use One[string]", c.req.Path)
	}
	r, err := fetch(ctx, q)
	switch {
	case err != nil:
		return row, err
	case c.text && into.Kind() == reflect.String:
		into.SetString(string(r.Body))
		return row, nil
	case c.text:
		into.SetBytes(r.Body)
		return row, nil
	}
	var zero T
	if len(r.Body) == 0 {
		return zero, undecodable(c, errNoBody)
	}
	if err := json.Unmarshal(r.Body, &row); err != nil {
		return zero, undecodable(c, advise[T](r.Body, err))
	}
	return row, nil
}

var errNoBody = errors.New("it has no body")

func undecodable(c *compiled, err error) error {
	return fmt.Errorf("database: the answer to %s %s: %w", c.req.Method, c.req.Path, err)
}

// tooMany is what the server says of Single.
func tooMany(c *compiled, n int) error {
	return &Error{
		Method: c.req.Method, Path: c.req.Path, Status: http.StatusNotAcceptable, Code: "PGRST116",
		Message: "at most one row was asked for",
		Details: "The result contains " + strconv.Itoa(n) + " rows",
	}
}

// Count gives the number of rows that the filters leave, without the rows: exactly, or as
// [Query.Count] says. The query is a read of a table, or a call with Get.
func Count(ctx context.Context, q Query[*Client]) (int64, error) {
	c := q.compile()
	if c.err == nil && !c.read {
		return 0, invalid("%s: Count is for reads", c.req.Path)
	}
	if c.err == nil && !c.total {
		q = q.Count(Exact)
	}
	r, err := fetch(ctx, q.Head())
	if e, ok := errors.AsType[*Error](err); ok && e.Code == "" && e.Status >= 400 && e.Status < 500 &&
		e.Status != http.StatusRequestTimeout && e.Status != http.StatusTooManyRequests {
		// By HEAD, PostgREST 12 tells that something is wrong, but not what: a mistake in the query, or
		// that its database has just died. It is asked for no rows instead, which has words.
		r, err = fetch(ctx, q.Get().Limit(0))
	}
	if err != nil {
		return 0, err
	}
	if r.Total < 0 {
		return 0, fmt.Errorf("database: the answer of %s has no total", c.req.Path)
	}
	return r.Total, nil
}

// Pages gives all rows, up to size at a time, however few the server returns at once. The query has
// an Order, by columns that together are unique: without one, a row may come twice or never. It
// has no Limit, Offset or Range of its own. Every page is a request; the last one is empty, and not
// given, unless a Count tells before. After an error it ends.
func Pages[T any](ctx context.Context, q Query[*Client], size int) iter.Seq2[Page[T], error] {
	return PagesBy(ctx, q, size, Paged[T])
}

// PagesBy is [Pages] for queries that something else than a [Client] runs: paged gives one page.
func PagesBy[T, R any](
	ctx context.Context, q Query[R], size int, paged func(context.Context, Query[R]) (Page[T], error),
) iter.Seq2[Page[T], error] {
	return func(yield func(Page[T], error) bool) {
		if err := checkPages(q.compile(), size); err != nil {
			yield(Page[T]{}, err)
			return
		}
		for offset := 0; ; {
			page, err := paged(ctx, q.Range(offset, offset+size-1))
			if err != nil {
				yield(Page[T]{}, err)
				return
			}
			if len(page.Rows) == 0 || !yield(page, nil) {
				return
			}
			offset += len(page.Rows)
			if page.Total >= 0 && int64(offset) >= page.Total && q.compile().exact {
				return
			}
		}
	}
}

func checkPages(c *compiled, size int) error {
	switch {
	case c.err != nil:
		return c.err
	case size < 1:
		return invalid("%s: pages of %d rows", c.req.Path, size)
	case !c.read || !c.rows || c.maybe || c.empty != "":
		return invalid("%s: pages are of reads that give rows", c.req.Path)
	case c.paged:
		return invalid("%s: pages set Limit and Offset themselves", c.req.Path)
	case !c.sorted:
		return invalid("%s: pages need an Order, or a row may come twice or never", c.req.Path)
	}
	return nil
}

// Rows is [Pages] row by row.
func Rows[T any](ctx context.Context, q Query[*Client], size int) iter.Seq2[T, error] {
	return EachRow(Pages[T](ctx, q, size))
}

// EachRow gives the rows of pages one by one.
func EachRow[T any](pages iter.Seq2[Page[T], error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for page, err := range pages {
			if err != nil {
				var zero T
				yield(zero, err)
				return
			}
			for _, row := range page.Rows {
				if !yield(row, nil) {
					return
				}
			}
		}
	}
}
