// json_body: what a handler makes of its request's body. JSON of many megabytes takes as long as a
// hundred other requests: a worker reads it, and destroys what `parse` does not return.
//
//   auto request = co_await parsed_body(exchange, parse);   // T parse(const std::string&)
#pragma once

#include <string>
#include <type_traits>
#include <utility>

#include "server/http.h"
#include "server/offload.h"

namespace hearth::server {

template <class Parse>
Task<std::invoke_result_t<Parse&, const std::string&>> parsed_body(Exchange& exchange,
                                                                   Parse parse) {
  const std::string& body = exchange.request().body;
  auto work = [&] { return parse(body); };
  co_return co_await offload_long(body.size(), work);
}

}  // namespace hearth::server
