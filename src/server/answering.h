// Answering a request for text: from the native request to the events of the engine and to what the
// client reads.
#pragma once

#include "api/native.h"
#include "server/app.h"

namespace hearth::server {

// How a route speaks.
struct Voice {
  std::unique_ptr<api::AnswerWriter> (*writer)(const api::GenerateRequest&, api::AnswerInfo);
  api::ApiReply (*error)(const api::ApiError&);
  api::ApiError (*no_model)(std::string_view name);
  bool refuses_think = false;  // of a model that does not think
};

Task<void> answer(Exchange& exchange, App& app, api::GenerateRequest request, const Voice& voice);

// An error as the whole answer.
Task<void> reply_error(Exchange& exchange, const Voice& voice, const api::ApiError& error);

// Why there is no lease on a model.
api::ApiError load_error(const Error& error, const Voice& voice, std::string_view model);

// Nanoseconds since 1970.
int64_t now_ns();

}  // namespace hearth::server
