#include "server/http.h"

#include <strings.h>

namespace hearth::server {

std::string_view Request::header(std::string_view name) const {
  for (const auto& [have, value] : headers)
    if (have.size() == name.size() && strncasecmp(have.data(), name.data(), name.size()) == 0)
      return value;
  return {};
}

}  // namespace hearth::server
