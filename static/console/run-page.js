// all of: basics.js live.js drafts.js keys.js attention.js run.js desk.js
