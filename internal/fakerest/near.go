package fakerest

// nearest gives the name of a related table that is close to one that was meant; "" for none.
func (db *database) nearest(string, *table, string) string { return "" }

// nearestFunction gives the function that may have been meant; "" for none.
func (db *database) nearestFunction(_ *request, _ []string, list []*function) string {
	if len(list) == 0 {
		return ""
	}
	return list[0].signature()
}
