package report_test

import (
	"os"

	"github.com/streamconn/streamconn/internal/faults/report"
)

func ExampleTable() {
	var table report.Table
	table.Add(report.Case{Name: "the plug was pulled", Promised: "reads survive", Seen: "they do", Requests: 12345, Retries: 17})
	table.Add(report.Case{Name: "the cable was cut", Promised: "nothing is lost", Seen: "nothing", Requests: 100, Failures: 1})
	_ = table.Print(os.Stdout)
	// Output:
	// | broken              | promised        | seen    | requests | failures | retries | lost | repeated | leaked |
	// |---------------------|-----------------|---------|---------:|---------:|--------:|-----:|---------:|-------:|
	// | the plug was pulled | reads survive   | they do |   12,345 |        0 |      17 |    0 |        0 |      0 |
	// | the cable was cut   | nothing is lost | nothing |      100 |        1 |       0 |    0 |        0 |      0 |
	// | all                 |                 |         |   12,445 |        1 |      17 |    0 |        0 |      0 |
}
