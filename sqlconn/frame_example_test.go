package sqlconn

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"os"
	"strings"
)

// petOwners is the answer to "select * from pet_owners", as Conn.Query gives it.
func petOwners() *Frame {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(context.Background(), `
		with pet_owners (person, pet, age) as (values ('jerry', 'fish', 2), ('barbara', 'cat', 12), ('alex', null, null))
		select * from pet_owners`)
	if err != nil {
		log.Fatal(err)
	}
	owners, err := readFrame(rows)
	if err != nil {
		log.Fatal(err)
	}
	return owners
}

func ExampleFrame() {
	owners := petOwners() // conn.Query(ctx, `select * from pet_owners`)
	fmt.Print(owners)
	// Output:
	// person   pet    age
	// -------  ----  ----
	// jerry    fish     2
	// barbara  cat     12
	// alex     NULL  NULL
	// (3 rows)
}

func ExampleFrame_Rows() {
	for row := range petOwners().Rows() {
		fmt.Println(row...)
	}
	// Output:
	// jerry fish 2
	// barbara cat 12
	// alex <nil> <nil>
}

func ExampleFrame_Column() {
	pets, ok := petOwners().Column("pet")
	fmt.Println(pets, ok)
	// Output: [fish cat <nil>] true
}

func ExampleColumnOf() {
	owners := petOwners()
	people, err := ColumnOf[string](owners, "person")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(strings.Join(people, ", "))

	_, err = ColumnOf[int](owners, "age")
	fmt.Println(err)

	ages, err := ColumnOf[sql.Null[int]](owners, "age")
	fmt.Println(ages, err)
	// Output:
	// jerry, barbara, alex
	// row 2: column "age": NULL has no place in int: use *int or sql.Null[int]
	// [{2 true} {12 true} {0 false}] <nil>
}

func ExampleFrame_WriteCSV() {
	var b strings.Builder
	if err := petOwners().WriteCSV(&b); err != nil {
		log.Fatal(err)
	}
	fmt.Print(strings.ReplaceAll(b.String(), "\r\n", "\n"))
	// Output:
	// person,pet,age
	// jerry,fish,2
	// barbara,cat,12
	// alex,,
}

func ExampleFrame_WriteJSON() {
	if err := petOwners().WriteJSON(os.Stdout); err != nil {
		log.Fatal(err)
	}
	// Output:
	// [
	// {"person":"jerry","pet":"fish","age":2},
	// {"person":"barbara","pet":"cat","age":12},
	// {"person":"alex","pet":null,"age":null}
	// ]
}
