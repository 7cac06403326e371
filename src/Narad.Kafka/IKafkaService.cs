namespace Narad.Kafka;

/// <summary>
/// Sends and receives Kafka messages. Every member is idempotent where repeating it makes sense, and safe from many threads.
/// It never loses a message silently: what cannot be handled stops its partition, what cannot be sent throws.
/// </summary>
public interface IKafkaService : IKafkaProducer, IAsyncDisposable
{
    /// <summary>The mode in force; <see cref="KafkaMode.Auto"/> until it was decided by the first connect.</summary>
    KafkaMode Mode { get; }

    /// <summary>
    /// Whether a broker of any connected role answered the latest probe (every <see cref="KafkaOptions.ProbeInterval"/>, default 3 s).
    /// False before connecting, after disconnecting, and always in <see cref="KafkaMode.Console"/>.
    /// </summary>
    bool IsConnected { get; }

    /// <summary>
    /// Completes when the service was disconnected; faults when a subscription ended for good by itself
    /// (its static identity was taken over, or <see cref="UnhandledPolicy.StopHost"/> applied).
    /// </summary>
    Task Completion { get; }

    /// <summary>Creates, describes and inspects topics through the same settings as the rest of the service.</summary>
    IKafkaTopics Topics { get; }

    /// <summary>Finds messages that could not be handled, and sends them again.</summary>
    IDeadLetters DeadLetters { get; }

    /// <summary>The subscriptions of this service, in the order in which they were made.</summary>
    IReadOnlyList<ISubscription> Subscriptions { get; }

    /// <summary>Validates the configuration; idempotent, and returns the service so that calls chain.</summary>
    /// <exception cref="KafkaConfigurationException">Something in the configuration is wrong; the message lists every fault.</exception>
    /// <exception cref="ObjectDisposedException">The service was disconnected.</exception>
    IKafkaService Init();

    /// <summary>Connects the sending side. A second call returns the first call's result.</summary>
    /// <exception cref="KafkaConnectionException">No broker answered within <see cref="KafkaOptions.ConnectTimeout"/>.</exception>
    /// <example>
    /// <code>
    /// await kafka.Init().ConnectProducerAsync(token);   // throws where no broker answers within KafkaOptions.ConnectTimeout
    /// await kafka.SendAsync("orders", new OrderPlaced("o-1"), cancellationToken: token);
    /// </code>
    /// </example>
    Task ConnectProducerAsync(CancellationToken cancellationToken = default);

    /// <summary>Connects a consumer group; may be called for several groups.</summary>
    /// <param name="group">The group's id; null takes <see cref="KafkaOptions.ConsumerGroupId"/>.</param>
    /// <param name="cancellationToken">Cancels the waiting.</param>
    /// <exception cref="KafkaConnectionException">No broker answered within <see cref="KafkaOptions.ConnectTimeout"/>.</exception>
    /// <exception cref="KafkaConfigurationException">No group was named, here or in the configuration.</exception>
    /// <exception cref="ArgumentException"><paramref name="group"/> is no legal id: empty, too long, with control characters, or with a space around
    /// it.</exception>
    /// <example>
    /// <code>
    /// await kafka.ConnectConsumerAsync("billing", token);
    /// await kafka.SubscribeAsync&lt;OrderPlaced&gt;("orders", (order, context, stop) =&gt; Task.CompletedTask, group: "billing", cancellationToken: token);
    /// </code>
    /// </example>
    Task ConnectConsumerAsync(string? group = null, CancellationToken cancellationToken = default);

    /// <summary>
    /// Handles the messages of a topic. Completes when the group was joined, or when the topic was reported missing
    /// (<see cref="ISubscription.State"/> tells; it starts by itself within 5 s of the topic's creation).
    /// </summary>
    /// <param name="topic">A topic's name, or a pattern (a regular expression that starts with <c>^</c>).</param>
    /// <param name="handler">Called with message, context and a token that is cancelled when the assignment is lost, at the revoke deadline and at the end
    /// of the shutdown drain.</param>
    /// <param name="group">The group; null takes the only connected one.</param>
    /// <param name="configure">Parallelism, order, retries, start position …</param>
    /// <param name="cancellationToken">Cancels the waiting, not the subscription.</param>
    /// <exception cref="KafkaNotConnectedException">No group is connected, or the service was disconnected.</exception>
    /// <exception cref="InvalidOperationException">Several groups are connected and none was named, or the group already handles this topic.</exception>
    /// <exception cref="ArgumentException">The topic's name or pattern is not legal, or <paramref name="configure"/> gave a number that is out of
    /// range.</exception>
    /// <exception cref="KafkaTopicException">The topic could not be looked at or created, and looking again would not help.</exception>
    /// <exception cref="KafkaConnectionException">The group may not read, or it ended by itself before it had joined.</exception>
    /// <example>
    /// <code>
    /// var subscription = await kafka.SubscribeAsync&lt;OrderPlaced&gt;(
    ///     "orders",
    ///     (order, context, token) =&gt; database.BillAsync(order.OrderId, token),
    ///     configure: o =&gt;
    ///     {
    ///         o.Retry.InMemory.MaxAttempts = 2;
    ///         o.DeadLetter.Enabled = true;   // to "orders-dlt"
    ///     });
    /// Console.WriteLine($"{subscription.Topic}: {subscription.State}");
    /// </code>
    /// </example>
    Task<ISubscription> SubscribeAsync<T>(string topic, Func<T, MessageContext, CancellationToken, Task> handler, string? group = null,
        Action<SubscriptionOptions>? configure = null, CancellationToken cancellationToken = default);

    /// <summary>
    /// Handles the messages of a topic in batches: each of one partition, in offset order, of at most
    /// <see cref="SubscriptionOptions.MaxBatchSize"/> messages or <see cref="SubscriptionOptions.MaxBatchWait"/>.
    /// See <see cref="SubscribeAsync{T}(string, Func{T, MessageContext, CancellationToken, Task}, string?, Action{SubscriptionOptions}?,
    /// CancellationToken)"/> for the rest.
    /// </summary>
    /// <example>
    /// <code>
    /// await kafka.SubscribeBatchAsync&lt;OrderPlaced&gt;(
    ///     "orders",
    ///     async (batch, token) =&gt;
    ///     {
    ///         foreach (var item in batch.Items)
    ///         {
    ///             await database.BillAsync(item.Message.OrderId, token);
    ///         }
    ///     },
    ///     configure: o =&gt; o.MaxBatchSize = 200);
    /// </code>
    /// </example>
    Task<ISubscription> SubscribeBatchAsync<T>(string topic, Func<MessageBatch<T>, CancellationToken, Task> handler, string? group = null,
        Action<SubscriptionOptions>? configure = null, CancellationToken cancellationToken = default);

    /// <summary>
    /// Handles the messages of a type's topic: that of its route (<see cref="KafkaOptions.Routes"/>), with the route's deserializer. Otherwise as
    /// <see cref="SubscribeAsync{T}(string, Func{T, MessageContext, CancellationToken, Task}, string?, Action{SubscriptionOptions}?, CancellationToken)"/>.
    /// </summary>
    /// <exception cref="MessageRouteNotFoundException">No route is declared for the very type.</exception>
    Task<ISubscription> SubscribeAsync<T>(Func<T, MessageContext, CancellationToken, Task> handler, string? group = null,
        Action<SubscriptionOptions>? configure = null, CancellationToken cancellationToken = default);

    /// <summary>Handles the messages of a type's topic in batches, as
    /// <see cref="SubscribeBatchAsync{T}(string, Func{MessageBatch{T}, CancellationToken, Task}, string?, Action{SubscriptionOptions}?,
    /// CancellationToken)"/>.</summary>
    /// <exception cref="MessageRouteNotFoundException">No route is declared for the very type.</exception>
    Task<ISubscription> SubscribeBatchAsync<T>(Func<MessageBatch<T>, CancellationToken, Task> handler, string? group = null,
        Action<SubscriptionOptions>? configure = null, CancellationToken cancellationToken = default);

    /// <summary>
    /// Handles the messages of a topic that carries several types, each type with its own handler. A message of a type without a handler is treated as
    /// <c>Otherwise</c> says; by default as a message that cannot be read.
    /// See <see cref="SubscribeAsync{T}(string, Func{T, MessageContext, CancellationToken, Task}, string?, Action{SubscriptionOptions}?,
    /// CancellationToken)"/> for the rest; the deserializer reads what the handlers take.
    /// </summary>
    /// <param name="topic">A topic's name, or a pattern (a regular expression that starts with <c>^</c>).</param>
    /// <param name="types">Declares the types and their handlers.</param>
    /// <param name="group">The group; null takes the only connected one.</param>
    /// <param name="configure">Parallelism, order, retries, start position …</param>
    /// <param name="cancellationToken">Cancels the waiting, not the subscription.</param>
    /// <exception cref="KafkaConfigurationException">The declarations are wrong: no type, a name that is declared twice, a derived type without a handler or
    /// with several.</exception>
    /// <example>
    /// <code>
    /// await kafka.SubscribeByTypeAsync("user-events", types =&gt; types
    ///     .On&lt;UserLogin&gt;((login, context, token) =&gt; database.SawAsync(login.UserId, token))   // [MessageType("USER_LOGIN")]
    ///     .On&lt;UserEvent&gt;("USER_ACTION", (action, context, token) =&gt; database.SawAsync(action.UserId, token))
    ///     .Otherwise(UnknownTypePolicy.Skip));
    /// </code>
    /// </example>
    Task<ISubscription> SubscribeByTypeAsync(string topic, Action<MessageTypeMap> types, string? group = null,
        Action<SubscriptionOptions>? configure = null, CancellationToken cancellationToken = default);

    /// <summary>
    /// Handles every message of a topic in every instance, for caches and web servers: no group is joined, and nothing is committed. Needs no
    /// <see cref="ConnectConsumerAsync"/>. When it completes, everything that is sent afterwards is received, by every partition there is and will be; or the
    /// topic was reported missing, and is read from its first message when it exists. A message whose handler fails is retried in memory
    /// (<see cref="RetryOptions.InMemory"/>), then logged (event 3091), counted (<c>narad.kafka.broadcast.failed</c>) and given up in this instance.
    /// </summary>
    /// <param name="topic">A topic's name.</param>
    /// <param name="handler">Called with message, context and a token that is cancelled at the end of the shutdown drain.</param>
    /// <param name="configure">Where to start (<see cref="SubscriptionOptions.StartPosition"/>, default <see cref="StartPosition.Latest"/>, or
    /// <see cref="SubscriptionOptions.StartTime"/>), parallelism, order, in-memory retries … Its section is <c>Kafka:Subscriptions:{topic}-broadcast</c>.
    /// Retry topics, dead letters and exactly once are refused.</param>
    /// <param name="cancellationToken">Cancels the waiting, not the subscription.</param>
    /// <exception cref="KafkaNotConnectedException">The service was disconnected.</exception>
    /// <exception cref="KafkaConnectionException">No broker answered within <see cref="KafkaOptions.ConnectTimeout"/>, or the topic may not be
    /// read.</exception>
    /// <exception cref="KafkaConfigurationException"><paramref name="configure"/> asks for what broadcast subscriptions do not have.</exception>
    /// <exception cref="ArgumentException">The topic's name is not legal; patterns are not possible.</exception>
    /// <exception cref="KafkaTopicException">The topic could not be looked at or created, and looking again would not help.</exception>
    /// <example>
    /// <code>
    /// await kafka.SubscribeBroadcastAsync&lt;Price&gt;("prices", (price, context, stop) =&gt; feed.HandleAsync(price, context, stop));
    /// </code>
    /// </example>
    Task<IBroadcastSubscription> SubscribeBroadcastAsync<T>(string topic, Func<T, MessageContext, CancellationToken, Task> handler,
        Action<SubscriptionOptions>? configure = null, CancellationToken cancellationToken = default);

    /// <summary>
    /// Stops consuming (what runs is finished, up to <see cref="KafkaOptions.ShutdownTimeout"/>), then sending. A second call returns the
    /// first call's report. Nothing is left hanging: sends without an answer at the deadline fail as <em>unknown</em>.
    /// </summary>
    /// <example>
    /// <code>
    /// var report = await kafka.DisconnectAsync();
    /// Console.WriteLine($"{report.Delivered} delivered, {report.Failed} failed, {report.Unknown} unknown");
    /// </code>
    /// </example>
    Task<DisconnectReport> DisconnectAsync(CancellationToken cancellationToken = default);
}
