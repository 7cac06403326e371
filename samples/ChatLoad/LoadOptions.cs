namespace ChatLoad;

/// <summary>What load there is.</summary>
/// <param name="Urls">The server instances; users are spread over them.</param>
/// <param name="Users">How many users; each has one connection.</param>
/// <param name="Rooms">How many rooms; users are spread over them.</param>
/// <param name="Rate">Messages per second, by all users together.</param>
/// <param name="Seconds">For how long messages are measured.</param>
/// <param name="WarmUpSeconds">For how long messages are sent before that.</param>
internal sealed record LoadOptions(IReadOnlyList<Uri> Urls, int Users, int Rooms, int Rate, int Seconds, int WarmUpSeconds);
