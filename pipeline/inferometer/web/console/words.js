// @ts-check
/** Words that the API fixes. */

/** The group of everything that has none of its own. */
export const OTHER = "__other__";

/** Status classes in the order in which they are shown. */
export const STATUS_CLASSES = ["2xx", "4xx", "429", "499", "5xx", "other"];

/** @type {Record<string, string>} */
export const STATUS_WORDS = {
  "2xx": "Success",
  "4xx": "Client error",
  "429": "Rate limited",
  "499": "Client went away",
  "5xx": "Server error",
  other: "Other",
};
