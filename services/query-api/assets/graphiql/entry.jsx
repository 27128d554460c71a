// GraphiQL with its fetcher, as one file. Bundled by build.sh; the page is index.html.
import React from "react";
import { createRoot } from "react-dom/client";
import { GraphiQL } from "graphiql";
import { createClient } from "graphql-ws";
import { createGraphiQLFetcher } from "@graphiql/toolkit";
const url = new URL("/graphql", location.href);
const socket = new URL("/graphql", location.href);
socket.protocol = location.protocol === "https:" ? "wss:" : "ws:";
const token = () => sessionStorage.getItem("wattline.token");
const fetcher = createGraphiQLFetcher({
  url: url.href,
  fetch: (input, init) => {
    const headers = new Headers(init?.headers);
    if (token() && !headers.has("authorization")) headers.set("authorization", `Bearer ${token()}`);
    return fetch(input, { ...init, headers });
  },
  wsClient: createClient({ url: socket.href, lazy: true, connectionParams: () => (token() ? { authorization: `Bearer ${token()}` } : {}) }),
});
const query = document.getElementById("default-query").textContent;
createRoot(document.getElementById("graphiql")).render(
  <GraphiQL fetcher={fetcher} defaultQuery={query} defaultEditorToolsVisibility={true} isHeadersEditorEnabled={true} />,
);
