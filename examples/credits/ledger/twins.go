package ledger

import (
	"fmt"
	"time"

	"github.com/streamconn/streamconn/supabase/supabasetest"
)

// InMemory makes the tables in a project in memory, where functions have their bodies in Go: these
// do what the functions of [SQL] do, with which tests compare them on the real database. A request
// that writes runs alone there, so that nothing has to be locked.
func InMemory() []supabasetest.Option {
	return []supabasetest.Option{
		supabasetest.WithSchema(SQL),
		supabasetest.WithRPC("open_account", openAccount),
		supabasetest.WithRPC("spend_credits", spendCredits),
		supabasetest.WithRPC("start_purchase", startPurchase),
		supabasetest.WithRPC("complete_purchase", completePurchase),
	}
}

type (
	tx   = supabasetest.Tx
	args = supabasetest.Args
	row  = supabasetest.Row
)

func refuse(code, message string) error {
	return &supabasetest.DatabaseError{Code: code, Message: message}
}

func caller(t *tx) (string, error) {
	if t.UserID() == "" {
		return "", refuse("PT401", "sign in first")
	}
	return t.UserID(), nil
}

func makeAccount(t *tx, owner any) error {
	made, err := t.Exec(`insert into accounts (user_id) values ($1) on conflict do nothing`, owner)
	if err == nil && made > 0 {
		_, err = t.Exec(`update accounts set credits = (select coalesce(sum(amount), 0) from entries where user_id = $1) where user_id = $1`, owner)
	}
	return err
}

func addEntry(t *tx, owner any, amount int64, reference, note string) (balance int64, added bool, err error) {
	account, err := t.Rows("accounts", row{"user_id": owner})
	if err != nil {
		return 0, false, err
	}
	if len(account) == 0 {
		return 0, false, refuse("PT404", "there is no account")
	}
	has := account[0]["credits"].(int64)
	before, err := t.Rows("entries", row{"user_id": owner, "reference": reference})
	if err != nil || len(before) > 0 {
		return has, false, err
	}
	if has+amount < 0 {
		return 0, false, &supabasetest.DatabaseError{
			Code: "PT402", Message: "not enough credits",
			Details: fmt.Sprintf("%d credits, %d needed", has, -amount),
		}
	}
	has += amount
	_, err = t.Insert("entries", row{"user_id": owner, "amount": amount, "balance": has, "reference": reference, "note": note})
	if err == nil {
		_, err = t.Update("accounts", row{"user_id": owner}, row{"credits": has})
	}
	return has, true, err
}

func openAccount(t *tx, _ args) (any, error) {
	me, err := caller(t)
	if err != nil {
		return nil, err
	}
	if err := makeAccount(t, me); err != nil {
		return nil, err
	}
	if _, _, err := addEntry(t, me, 100, "welcome", "Free credits to begin with"); err != nil {
		return nil, err
	}
	return one(t.Rows("accounts", row{"user_id": me}))
}

func spendCredits(t *tx, a args) (any, error) {
	amount, _ := a["amount"].(int64)
	note, hasNote := a["note"].(string)
	request, hasRequest := a["request"].(string)
	if amount < 1 || amount > 1_000_000 || !hasNote || !hasRequest {
		return nil, refuse("PT400", "spend 1 to 1000000 credits, with a note and a request")
	}
	me, err := caller(t)
	if err != nil {
		return nil, err
	}
	balance, charged, err := addEntry(t, me, -amount, "spend:"+request, note)
	if err != nil {
		return nil, err
	}
	return []row{{"balance": balance, "charged": charged}}, nil
}

func startPurchase(t *tx, a args) (any, error) {
	me, err := caller(t)
	if err != nil {
		return nil, err
	}
	mine, err := t.Rows("purchases", row{"user_id": me})
	if err != nil {
		return nil, err
	}
	open := 0
	for _, p := range mine {
		if p["paid_at"] == nil && p["created_at"].(time.Time).After(t.Now().Add(-time.Hour)) {
			open++
		}
	}
	if open >= 20 {
		return nil, refuse("PT429", "too many purchases that were not paid")
	}
	var packs []row
	if a["pack"] != nil {
		if packs, err = t.Rows("packs", row{"id": a["pack"]}); err != nil {
			return nil, err
		}
	}
	if len(packs) == 0 {
		return nil, refuse("PT404", "there is no such pack")
	}
	pack := packs[0]
	return t.Insert("purchases", row{"user_id": me, "pack": pack["id"], "credits": pack["credits"], "price": pack["price"]})
}

func completePurchase(t *tx, a args) (any, error) {
	var found []row
	if a["purchase"] != nil {
		var err error
		if found, err = t.Rows("purchases", row{"id": a["purchase"]}); err != nil {
			return nil, err
		}
	}
	if len(found) == 0 {
		return nil, refuse("PT404", "there is no such purchase")
	}
	bought := found[0]
	if a["paid"] != bought["price"] {
		return nil, refuse("PT422", "this is not what the purchase costs")
	}
	if err := makeAccount(t, bought["user_id"]); err != nil {
		return nil, err
	}
	if bought["paid_at"] == nil {
		if _, err := t.Update("purchases", row{"id": bought["id"]}, row{"paid_at": t.Now()}); err != nil {
			return nil, err
		}
	}
	balance, added, err := addEntry(t, bought["user_id"], bought["credits"].(int64),
		fmt.Sprint("purchase:", bought["id"]), fmt.Sprint(bought["credits"], " credits bought"))
	if err != nil {
		return nil, err
	}
	return []row{{"balance": balance, "credited": added}}, nil
}

// one is the only row of a result that has one.
func one(rows []row, err error) (any, error) {
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return rows[0], nil
}
