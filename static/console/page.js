// all of: basics.js drafts.js keys.js attention.js
