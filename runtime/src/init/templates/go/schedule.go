// Runs when the schedule fires.
package main

import (
	"errors"
	"fmt"

	"github.com/aws/aws-lambda-go/lambda"
)

// tick is what this function reads of the event.
type tick struct {
	Time string `json:"time"` // when it was due
}

func main() {
	lambda.Start(handle)
}

func handle(event tick) error {
	if event.Time == "" {
		return errors.New("the event has no time")
	}
	fmt.Println("Hello at", event.Time)
	return nil
}
