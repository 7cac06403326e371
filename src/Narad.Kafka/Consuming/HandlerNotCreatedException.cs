namespace Narad.Kafka.Consuming;

/// <summary>The container could not create a handler. The message is not to blame, so this makes no dead letter.</summary>
internal sealed class HandlerNotCreatedException(Type handler, Exception cause)
    : InvalidOperationException($"The handler {handler} could not be created, so the message was not handled: {cause.Message}", cause);
