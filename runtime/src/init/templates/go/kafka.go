// Greets each guest whom a record names. A record that cannot be read is reported; its partition resumes there.
package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
)

type guest struct {
	Name string `json:"name"`
}

// position is a record as the mapping identifies it.
type position struct {
	Partition string `json:"partition"`
	Offset    int64  `json:"offset"`
}

type failure struct {
	ItemIdentifier position `json:"itemIdentifier"`
}

type response struct {
	BatchItemFailures []failure `json:"batchItemFailures"`
}

func main() {
	lambda.Start(handle)
}

func handle(batch events.KafkaEvent) (response, error) {
	failed := []failure{}
	for partition, records := range batch.Records {
		for _, record := range records {
			if err := greet(record.Value); err != nil {
				fmt.Println("offset", record.Offset, "of", partition, "failed:", err)
				failed = append(failed, failure{position{partition, record.Offset}})
				break // What follows in this partition comes again.
			}
		}
	}
	return response{failed}, nil
}

func greet(value string) error {
	text, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return err
	}
	var named guest
	if err := json.Unmarshal(text, &named); err != nil {
		return err
	}
	if named.Name == "" {
		return errors.New("it has no name")
	}
	fmt.Println("Hello,", named.Name)
	return nil
}
