// A model behind a server.
#pragma once

#include "cli/chat/answerer.h"
#include "cli/client.h"

namespace hearth {

// Has the server load it. The options are those of `hearth run`; they outlive the answerer.
Result<std::unique_ptr<Answerer>> server_answerer(ServerClient client, const std::string& model,
                                                  const Options& options);

}  // namespace hearth
