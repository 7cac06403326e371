namespace Narad.Kafka;

/// <summary>Makes a token, each time a new one is needed.</summary>
/// <param name="cancellationToken">Cancelled when nobody needs it any more.</param>
public delegate ValueTask<KafkaToken> KafkaTokenSource(CancellationToken cancellationToken);
