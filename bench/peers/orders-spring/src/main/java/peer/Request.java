package peer;

/** The body of a request: a number of adjacent seats of a category. */
record Request(int category, int count) {}
