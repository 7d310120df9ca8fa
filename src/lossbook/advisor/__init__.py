"""Which loss for a user's own data: read it, train every method fairly, judge the differences, write a report and a winner."""
