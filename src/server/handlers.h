// The handlers of the routes, one for each row of the table (route_table.cc). `context` is an App.
#pragma once

#include "server/http.h"

namespace hearth::server {

Task<void> handle_blob_exists(Exchange& exchange, void* context);
Task<void> handle_blob_upload(Exchange& exchange, void* context);
Task<void> handle_copy(Exchange& exchange, void* context);
Task<void> handle_create(Exchange& exchange, void* context);
Task<void> handle_delete(Exchange& exchange, void* context);
Task<void> handle_detokenize(Exchange& exchange, void* context);
Task<void> handle_health(Exchange& exchange, void* context);
Task<void> handle_metrics(Exchange& exchange, void* context);
Task<void> handle_model(Exchange& exchange, void* context);
Task<void> handle_models(Exchange& exchange, void* context);
Task<void> handle_ollama_chat(Exchange& exchange, void* context);
Task<void> handle_ollama_generate(Exchange& exchange, void* context);
Task<void> handle_openai_chat(Exchange& exchange, void* context);
Task<void> handle_openai_completion(Exchange& exchange, void* context);
Task<void> handle_ps(Exchange& exchange, void* context);
Task<void> handle_ready(Exchange& exchange, void* context);
Task<void> handle_root(Exchange& exchange, void* context);
Task<void> handle_show(Exchange& exchange, void* context);
Task<void> handle_tags(Exchange& exchange, void* context);
Task<void> handle_tokenize(Exchange& exchange, void* context);
Task<void> handle_version(Exchange& exchange, void* context);

}  // namespace hearth::server
