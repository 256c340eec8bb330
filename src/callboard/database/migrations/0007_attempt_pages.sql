-- The log of attempts is read in pages of one endpoint; of those that failed alone, too. Who looks for a failure among
-- millions of deliveries does not read them all: the index has only the failures, and costs a delivery nothing.

CREATE INDEX attempt_failed ON attempt (endpoint_id, at) WHERE error <> '';
