package web

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/streamconn/streamconn/examples/credits/ledger"
	"github.com/streamconn/streamconn/supabase"
)

const webhookPath = "/webhooks/payments"

func (a *app) history(w http.ResponseWriter, r *http.Request, me user) error {
	const size = 20
	before := number(r.URL.Query().Get("before"))
	entries, err := ledger.History(r.Context(), me.Conn, before, size+1)
	if err != nil {
		return err
	}
	v := view{Title: "History", Email: me.email, Entries: entries}
	if len(entries) > size {
		v.Entries = entries[:size]
		v.Older = entries[size-1].ID
	}
	v.Newest = before == 0
	a.show(w, r, http.StatusOK, "history", v)
	return nil
}

func (a *app) buy(w http.ResponseWriter, r *http.Request, me user) error {
	return a.showPacks(w, r, me, http.StatusOK, "")
}

func (a *app) showPacks(w http.ResponseWriter, r *http.Request, me user, status int, problem string) error {
	v := view{Title: "Buy credits", Email: me.email, Problem: problem}
	var err error
	if v.Packs, err = ledger.Packs(r.Context(), me.Conn); err != nil {
		return err
	}
	if v.Account, err = account(r.Context(), me); err != nil {
		return err
	}
	a.show(w, r, status, "buy", v)
	return nil
}

// checkout begins a purchase, and sends the browser to where it is paid. What it costs is the
// database's to say, and neither the browser's nor this program's.
func (a *app) checkout(w http.ResponseWriter, r *http.Request, me user) error {
	purchase, err := ledger.StartPurchase(r.Context(), me.Conn, r.PostFormValue("pack"))
	switch {
	case errors.Is(err, supabase.ErrNotFound):
		return a.showPacks(w, r, me, http.StatusUnprocessableEntity, "There is no such pack. Choose one of these.")
	case errors.Is(err, supabase.ErrRateLimited):
		return a.showPacks(w, r, me, http.StatusTooManyRequests, "You have begun many purchases and paid none. Try again in an hour.")
	case err != nil:
		return err
	}
	http.Redirect(w, r, a.provider.checkout(purchase), http.StatusSeeOther)
	return nil
}

// event is what the payment provider tells.
type event struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	Purchase string `json:"purchase"`
	Amount   int64  `json:"amount"` // cents
}

// paid is the webhook. The provider tells of a payment at least once, sometimes twice at the same time, and again
// for as long as the answer is not a 2xx: the database credits a purchase once.
func (a *app) paid(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || !verify(a.WebhookSecret, r.Header.Get(signatureHeader), body, time.Now()) {
		http.Error(w, "the signature is wrong", http.StatusBadRequest)
		return
	}
	var e event
	if err := json.Unmarshal(body, &e); err != nil {
		http.Error(w, "the event cannot be read", http.StatusBadRequest)
		return
	}
	if e.Type != "payment.succeeded" {
		return // of no interest here; told so, the provider does not try again
	}
	credited, err := ledger.Complete(r.Context(), a.Payments, e.Purchase, e.Amount)
	refused, _ := errors.AsType[*supabase.Error](err)
	switch {
	case err == nil:
		a.Log.InfoContext(r.Context(), "payment", "event", e.ID, "purchase", e.Purchase, "credited", credited)
	case refused != nil && (refused.Code == "PT404" || refused.Code == "PT422" || refused.Code == "22P02"):
		// Money has come for which nothing can be given: somebody has to look at that.
		a.Log.ErrorContext(r.Context(), "a payment that fits no purchase", "event", e.ID, "purchase", e.Purchase, "amount", e.Amount, "error", err)
		http.Error(w, "no purchase fits", http.StatusUnprocessableEntity)
	default:
		a.Log.ErrorContext(r.Context(), "a payment is not credited yet", "event", e.ID, "error", err)
		http.Error(w, "try again", http.StatusServiceUnavailable)
	}
}
