//go:build linux

package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

var instant = regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(\+00:00|Z)?`)

// pair is one purchase, as the two worlds call it.
type pair [2]string

// The functions in Go that stand for those of the database answer one random history as they do:
// the same status, the same values, the same errors.
func TestTwinsAnswerTheSame(t *testing.T) {
	t.Parallel()
	const operations = 1500
	worlds := [2]*world{realWorld(t), inMemory(t)}
	r := rand.New(rand.NewPCG(42, 1)) //nolint:gosec // a history that can be repeated
	users := []string{ada, bob, cleo, ghost, "", "anon", "secret"}
	tokens := [2]map[string]string{{}, {}}
	for i, w := range worlds {
		for _, u := range users {
			switch u {
			case "anon":
				tokens[i][u] = w.anon
			case "secret":
				tokens[i][u] = w.secret
			case "":
			default:
				tokens[i][u] = w.token(u)
			}
		}
	}
	purchases := []pair{{request(1), request(1)}} // one that is not there
	amounts := []string{"1", "5", "10", "25", "60", "100", "0", "-5", "null", "1000000", "1000001", `"7"`, "2.5", `"x"`, "1e3"}
	packs := []string{`"small"`, `"medium"`, `"large"`, `"none"`, `null`, `7`, `""`}
	statuses := map[int]int{}
	for n := range operations {
		user := users[min(r.IntN(10), len(users)-1)]
		if r.IntN(4) > 0 {
			user = users[r.IntN(3)]
		}
		method, path, body := "POST", "", ""
		one := purchases[r.IntN(len(purchases))]
		switch luck := r.IntN(100); {
		case luck < 8:
			path, body = "rpc/open_account", `{}`
		case luck < 40:
			note := []string{`"a job"`, `null`, `""`, `"` + strings.Repeat("x", 201) + `"`}[max(0, r.IntN(20)-16)]
			path, body = "rpc/spend_credits", fmt.Sprintf(`{"amount":%s,"note":%s,"request":%q}`, amounts[r.IntN(len(amounts))], note, request(r.IntN(300)))
		case luck < 43:
			path, body = "rpc/spend_credits", []string{`{}`, `{"amount":1}`, `{"amount":1,"note":"x","request":"x"}`, `{"amount":1,"note":"x","request":null}`, `[]`, `{`}[r.IntN(6)]
		case luck < 55:
			path, body = "rpc/start_purchase", fmt.Sprintf(`{"pack":%s}`, packs[r.IntN(len(packs))])
		case luck < 75:
			user = "secret"
			if r.IntN(8) == 0 {
				user = users[r.IntN(len(users))]
			}
			path, body = "rpc/complete_purchase", fmt.Sprintf(`{"purchase":"PURCHASE","paid":%d}`, []int{200, 500, 1000, 1000, 500, 1}[r.IntN(6)])
		case luck < 80:
			method, path = "GET", "accounts?select=user_id,credits&order=user_id"
		case luck < 85:
			method, path = "GET", "entries?select=id,user_id,amount,balance,note&order=id.desc&limit=5"
		case luck < 90:
			method, path = "GET", "purchases?select=pack,credits,price,paid_at,packs(title)&order=created_at,id&limit=5"
		case luck < 95:
			method, path = "GET", "rpc/open_account"
		default: // the row goes, and comes back
			for _, w := range worlds {
				if err := w.exec(t.Context(), "delete from accounts where user_id = '"+users[n%3]+"'"); err != nil {
					t.Fatal(err)
				}
			}
			continue
		}
		var said [2]string
		var made pair
		for i, w := range worlds {
			a := w.ask(t, method, path, tokens[i][user], strings.ReplaceAll(body, "PURCHASE", one[i]))
			text := canonical(a.body)
			if path == "rpc/start_purchase" && a.status == 200 {
				id := regexp.MustCompile(`"id":"([^"]*)"`).FindStringSubmatch(text)
				made[i] = id[1]
				text = strings.ReplaceAll(text, id[1], "THE PURCHASE")
			}
			text = instant.ReplaceAllString(strings.ReplaceAll(text, one[i], "PURCHASE"), "THEN")
			said[i] = fmt.Sprint(a.status, " ", text)
			if i == 0 {
				statuses[a.status]++
			}
		}
		if said[0] != said[1] {
			t.Errorf("operation %d, as %q: %s %s %s\n%s: %s\n%s: %s", n, user, method, path, body, worlds[0].name, said[0], worlds[1].name, said[1])
		}
		if made[0] != "" && made[1] != "" {
			purchases = append(purchases, made)
		}
		if t.Failed() && n > 20 {
			t.FailNow()
		}
	}
	for _, q := range []string{
		`select user_id, credits from accounts order by user_id`,
		`select id, user_id, amount, balance, note from entries order by id`,
		`select user_id, pack, credits, price, paid_at is null as open from purchases order by created_at`,
	} {
		var held [2]string
		for i, w := range worlds {
			rows, err := w.query(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			held[i] = strings.Join(rows, "\n")
		}
		if held[0] != held[1] || held[0] == "" {
			t.Errorf("%s:\n%s\n\nin memory:\n%s", q, held[0], held[1])
		}
	}
	if statuses[200] < operations/4 || statuses[402] == 0 || statuses[400] == 0 || statuses[404] == 0 || statuses[422] == 0 || statuses[403] == 0 {
		t.Errorf("the history is too dull: %v", statuses)
	}
	t.Logf("%d operations, %d purchases, statuses %v", operations, len(purchases)-1, statuses)
}
