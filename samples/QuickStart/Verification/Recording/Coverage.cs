namespace QuickStart.Verification.Recording;

/// <summary>What of a run's acknowledged lines is still open.</summary>
/// <param name="Waiting">Lines that the group has not committed past.</param>
/// <param name="Suspects">Lines that it has, although nobody seems to have handled them.</param>
internal sealed record Coverage(int Waiting, int Suspects);
