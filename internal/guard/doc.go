// Package guard has tests and nothing else: they hold the repository to the rules that no
// compiler knows. Each says what to do when it fails.
//
//   - Imports point one way (imports_test.go).
//   - The root module requires the modules of testdata/require.txt and no others, and a package
//     links the modules of testdata/linked.golden and no others (modules_test.go).
//   - Packages do nothing at import, read the environment in few places, and use no global
//     clients (source_test.go).
//   - The files speak of the product alone (tree_test.go).
//
// testdata/linked.golden is written by
//
//	go test ./internal/guard -update
//
// and its changes are reviewed like code: each added line is one more module in the programs of
// those who import the package.
package guard
