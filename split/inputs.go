package split

// Inputs are lists that a split goes by besides the manifest. What is nil is not given.
type Inputs struct {
	Exclude    *Exclusions // images to exclude, by ReadExclusions
	Tombstones *Exclusions // images to exclude, by ReadTombstones; those that the manifest has not are passed over
	Duplicates *Duplicates // images to keep in one part

	AllowUnknown bool // pass over what Exclude and Duplicates name and the manifest has not

	named func(id string) bool // whether the manifest's identity table has it
}

// Input is one list that a split was made with.
type Input struct {
	Kind     string `json:"kind"` // "exclude", "tombstones" or "duplicates"
	File     string `json:"file"` // without directories
	Digest   string `json:"digest"`
	Entries  int    `json:"entries"`  // identities and images, or pairs
	Repeated int    `json:"repeated"` // lines that were there before
	Unknown  int    `json:"unknown"`  // entries that the manifest has not; of duplicates images
}
