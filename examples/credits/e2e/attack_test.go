//go:build linux

package e2e_test

import (
	"strings"
	"testing"

	"github.com/streamconn/streamconn/examples/credits/ledger"
)

// What somebody tries with a token of their own, straight at the rest endpoint: to have more, or to
// see what is another's. Bob is who tries. BOB, ADA, HIS and HERS stand for the users and for a
// purchase of each that is not paid.
var attacks = []struct {
	method, path, body string
	header             []string
}{
	// The balance.
	{"PATCH", "accounts?user_id=eq.BOB", `{"credits":1000000}`, nil},
	{"PATCH", "accounts?user_id=eq.BOB", `{"credits":1000000}`, []string{"Prefer", "return=representation"}},
	{"PATCH", "accounts?user_id=eq.BOB&columns=credits", `{"credits":1000000}`, nil},
	{"PATCH", "accounts?user_id=eq.ADA", `{"credits":0}`, nil},
	{"PATCH", "accounts?user_id=eq.ADA", `{"user_id":"BOB"}`, nil},
	{"POST", "accounts", `{"user_id":"BOB","credits":1000000}`, nil},
	{"POST", "accounts", `[{"user_id":"BOB","credits":1000000}]`, []string{"Prefer", "resolution=merge-duplicates"}},
	{"POST", "accounts?on_conflict=user_id", `{"user_id":"BOB","credits":1000000}`, []string{"Prefer", "resolution=merge-duplicates,return=representation"}},
	{"POST", "accounts", `{"user_id":"BOB","credits":1000000}`, []string{"Prefer", "resolution=ignore-duplicates"}},
	{"POST", "accounts", `{"credits":1000000}`, []string{"Prefer", "missing=default"}},
	{"PUT", "accounts?user_id=eq.BOB", `{"user_id":"BOB","credits":1000000,"created_at":"2026-01-01T00:00:00Z"}`, nil},
	{"DELETE", "accounts?user_id=eq.BOB", ``, nil},
	{"DELETE", "accounts?user_id=eq.ADA", ``, nil},
	// The entries.
	{"POST", "entries", `{"user_id":"BOB","amount":1000,"balance":1100,"reference":"mine","note":"mine"}`, nil},
	{"POST", "entries?columns=user_id,amount,balance,reference,note", `[{"user_id":"BOB","amount":1000,"balance":1100,"reference":"mine","note":"mine"}]`, nil},
	{"PATCH", "entries?amount=lt.0", `{"amount":1000}`, nil},
	{"PATCH", "entries?reference=eq.welcome", `{"reference":"again"}`, nil},
	{"DELETE", "entries?reference=eq.welcome", ``, nil},
	{"DELETE", "entries?user_id=eq.ADA", ``, nil},
	// What is bought, and what it costs.
	{"POST", "purchases", `{"user_id":"BOB","pack":"large","credits":1000000,"price":1}`, nil},
	{"PATCH", "purchases?id=eq.HIS", `{"credits":1000000}`, nil},
	{"PATCH", "purchases?id=eq.HIS", `{"paid_at":"2026-01-01T00:00:00Z"}`, nil},
	{"PATCH", "purchases?id=eq.HERS", `{"user_id":"BOB"}`, nil},
	{"DELETE", "purchases?id=eq.HERS", ``, nil},
	{"POST", "packs", `{"id":"free","title":"Free","credits":1000000,"price":1}`, nil},
	{"PATCH", "packs?id=eq.large", `{"price":1}`, nil},
	{"DELETE", "packs?id=eq.large", ``, nil},
	// The functions, with what is not meant for them.
	{"POST", "rpc/spend_credits", `{"amount":-1000,"note":"x","request":"00000000-0000-4000-8000-000000000001"}`, nil},
	{"POST", "rpc/spend_credits", `{"amount":0,"note":"x","request":"00000000-0000-4000-8000-000000000001"}`, nil},
	{"POST", "rpc/spend_credits", `{"amount":null,"note":"x","request":"00000000-0000-4000-8000-000000000001"}`, nil},
	{"POST", "rpc/spend_credits", `{"amount":9223372036854775807,"note":"x","request":"00000000-0000-4000-8000-000000000001"}`, nil},
	{"POST", "rpc/spend_credits", `{"amount":-9223372036854775808,"note":"x","request":"00000000-0000-4000-8000-000000000001"}`, nil},
	{"POST", "rpc/spend_credits", `{"amount":1e30,"note":"x","request":"00000000-0000-4000-8000-000000000001"}`, nil},
	{"POST", "rpc/spend_credits", `{"amount":0.4,"note":"x","request":"00000000-0000-4000-8000-000000000001"}`, nil},
	{"POST", "rpc/spend_credits", `{"amount":"-1","note":"x","request":"00000000-0000-4000-8000-000000000001"}`, nil},
	{"POST", "rpc/spend_credits", `{"amount":1,"note":null,"request":"00000000-0000-4000-8000-000000000001"}`, nil},
	{"POST", "rpc/spend_credits", `{"amount":1,"note":"x","request":null}`, nil},
	{"POST", "rpc/spend_credits", `{"amount":1,"note":"x","request":"welcome"}`, nil},
	{"POST", "rpc/spend_credits", `{"amount":1,"note":"x","request":"00000000-0000-4000-8000-000000000001","owner":"ADA"}`, nil},
	{"POST", "rpc/spend_credits", `{"amount":1000001,"note":"x","request":"00000000-0000-4000-8000-000000000001"}`, nil},
	{"POST", "rpc/spend_credits", `{"amount":1}`, nil},
	{"POST", "rpc/spend_credits", `[{"amount":-5,"note":"x","request":"00000000-0000-4000-8000-000000000001"}]`, []string{"Prefer", "params=multiple-objects"}},
	{"GET", "rpc/spend_credits?amount=-1000&note=x&request=00000000-0000-4000-8000-000000000001", ``, nil},
	{"GET", "rpc/open_account", ``, nil},
	{"POST", "rpc/open_account", `{"owner":"ADA"}`, nil},
	{"POST", "rpc/complete_purchase", `{"purchase":"HIS","paid":1000}`, nil},
	{"POST", "rpc/complete_purchase", `{"purchase":"HERS","paid":1000}`, nil},
	{"POST", "rpc/add_entry", `{"owner":"BOB","amount":1000,"reference":"mine","note":"mine"}`, nil},
	{"POST", "rpc/make_account", `{"owner":"BOB"}`, nil},
	{"POST", "rpc/caller", `{}`, nil},
	{"POST", "rpc/start_purchase", `{"pack":"large","price":1}`, nil},
	{"POST", "rpc/start_purchase", `{"pack":"free"}`, nil},
	{"POST", "rpc/start_purchase", `{"pack":null}`, nil},
	// Elsewhere.
	{"GET", "users", ``, []string{"Accept-Profile", "auth"}},
	{"POST", "users", `{"id":"e0000000-0000-4000-8000-000000000005"}`, []string{"Content-Profile", "auth"}},
	{"POST", "rpc/uid", `{}`, []string{"Content-Profile", "auth"}},
}

// What he may ask, and where there must be nothing of hers.
var looks = []struct {
	path   string
	header []string
}{
	{"accounts", nil},
	{"accounts?user_id=eq.ADA", nil},
	{"accounts?or=(user_id.eq.ADA,credits.gt.0)", nil},
	{"accounts?user_id=neq.BOB", nil},
	{"accounts?credits=gte.0", []string{"Prefer", "count=exact"}},
	{"entries", nil},
	{"entries?user_id=eq.ADA", nil},
	{"entries?select=user_id,amount,reference&order=id.desc", nil},
	{"entries?reference=eq.welcome", nil},
	{"purchases", nil},
	{"purchases?id=eq.HERS", nil},
	{"packs?select=id,purchases(*)", nil},
	{"packs?select=id,purchases!inner(*)&purchases.user_id=eq.ADA", nil},
	{"purchases?select=*,packs(*)", nil},
	{"packs", nil},
}

func TestUsersHaveWhatIsTheirsAndNoMore(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		purchase := map[string]string{}
		for _, user := range []string{ada, bob} {
			me := w.as(t, user)
			if _, err := ledger.Open(t.Context(), me); err != nil {
				t.Fatal(err)
			}
			if _, _, err := ledger.Spend(t.Context(), me, 10, "a job", request(7)); err != nil {
				t.Fatal(err)
			}
			bought, err := ledger.StartPurchase(t.Context(), me, "large")
			if err != nil {
				t.Fatal(err)
			}
			purchase[user] = bought.ID
		}
		fill := strings.NewReplacer("ADA", ada, "BOB", bob, "HERS", purchase[ada], "HIS", purchase[bob]).Replace
		before := w.everything(t)

		his := w.token(bob)
		for _, a := range attacks {
			got := w.ask(t, a.method, fill(a.path), his, fill(a.body), a.header...)
			if got.status < 400 || got.status >= 500 {
				t.Errorf("%s %s %s %q: %d %s", a.method, a.path, a.body, a.header, got.status, got.body)
			}
			if strings.Contains(got.body, ada) {
				t.Errorf("%s %s %s names Ada: %s", a.method, a.path, a.body, got.body)
			}
			if after := w.everything(t); after != before {
				t.Fatalf("%s %s %s %q has changed something:\n%s\nbefore:\n%s", a.method, a.path, a.body, a.header, after, before)
			}
			// Nobody at all, and the secret key, which may complete purchases and nothing else.
			if got := w.ask(t, a.method, fill(a.path), w.anon, fill(a.body), a.header...); got.status < 400 {
				t.Errorf("as nobody, %s %s %s: %d %s", a.method, a.path, a.body, got.status, got.body)
			}
			if !strings.HasPrefix(a.path, "rpc/complete_purchase") {
				if got := w.ask(t, a.method, fill(a.path), w.secret, fill(a.body), a.header...); got.status < 400 {
					t.Errorf("by the secret key, %s %s %s: %d %s", a.method, a.path, a.body, got.status, got.body)
				}
			}
		}
		for _, l := range looks {
			got := w.ask(t, "GET", fill(l.path), his, "", l.header...)
			if got.status >= 400 && got.status != 404 {
				t.Errorf("%s: %d %s", l.path, got.status, got.body)
			}
			if strings.Contains(got.body, ada) || strings.Contains(got.body, purchase[ada]) {
				t.Errorf("%s shows what is Ada's: %s", l.path, got.body)
			}
			if l.header != nil && got.header.Get("Content-Range") != "0-0/1" {
				t.Errorf("%s counts %s", l.path, got.header.Get("Content-Range"))
			}
			if strings.HasPrefix(l.path, "packs") {
				continue // they are everybody's to see
			}
			if got := w.ask(t, "GET", fill(l.path), w.anon, "", l.header...); got.status != 401 {
				t.Errorf("as nobody, %s: %d %s", l.path, got.status, got.body)
			}
		}
		if after := w.everything(t); after != before {
			t.Errorf("in the end:\n%s\nbefore:\n%s", after, before)
		}
		t.Logf("%d attacks, %d looks", len(attacks), len(looks))
	})
}
