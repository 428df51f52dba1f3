// Package e2e tests the credits app from outside: in a browser, and on the real PostgREST.
//
// Chromium and PostgREST are not in every place: without them the tests are skipped by their names, and
// fail where STREAMCONN_REQUIRE_SERVERS is 1. CREDITS_SCREENSHOTS names a folder for pictures of all
// pages, as wide as a desktop and as a phone.
package e2e
