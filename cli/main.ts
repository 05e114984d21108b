import { Command } from 'commander';
import { adjustVerb } from './adjust.ts';
import { backtestVerb } from './backtest.ts';
import { breakGlassVerb } from './break-glass.ts';
import { breakerVerb } from './breaker.ts';
import { collectorVerb } from './collector.ts';
import { doctorVerb } from './doctor.ts';
import { enricherVerb } from './enricher.ts';
import { explainVerb } from './explain.ts';
import { hostVerb } from './host.ts';
import { labVerb } from './lab.ts';
import { labelVerb } from './label.ts';
import { liftVerb } from './lift.ts';
import { linksVerb } from './links.ts';
import { mapsVerb } from './maps.ts';
import { observeVerb } from './observe.ts';
import { pardonVerb } from './pardon.ts';
import { pinVerb } from './pin.ts';
import { policyVerb } from './policy.ts';
import { progsVerb } from './progs.ts';
import { riskVerb } from './risk.ts';
import { EXIT } from './shared/exit.ts';
import { report } from './shared/report.ts';
import { sweepVerb } from './sweep.ts';
import { tailVerb } from './tail.ts';
import { tokenVerb } from './token.ts';
import { topicsVerb } from './topics.ts';
import { trustVerb } from './trust.ts';
import { upVerb } from './up.ts';
import { verifyVerb } from './verify.ts';
import { whatifVerb } from './whatif.ts';

function build(): Command {
  const program = new Command('warden')
    .description('Who uses BPF on this machine, how far they are trusted, and what they may do')
    .exitOverride()
    .showHelpAfterError('(warden --help lists the verbs)')
    .addHelpText(
      'after',
      '\nExamples:\n  $ ./warden up                 record and show every use of BPF (as root)\n' +
        '  $ ./warden trust              who is trusted how far\n' +
        '  $ ./warden explain uid:0@$(hostname)\n',
    );
  for (const verb of [
    upVerb,
    tailVerb,
    doctorVerb,
    trustVerb,
    explainVerb,
    policyVerb,
    pardonVerb,
    pinVerb,
    breakGlassVerb,
    tokenVerb,
    observeVerb,
    adjustVerb,
    labelVerb,
    liftVerb,
    breakerVerb,
    riskVerb,
    backtestVerb,
    whatifVerb,
    sweepVerb,
    progsVerb,
    mapsVerb,
    linksVerb,
    verifyVerb,
    collectorVerb,
    enricherVerb,
    hostVerb,
    topicsVerb,
    labVerb,
  ]) {
    verb(program);
  }
  return program;
}

// A reader that ends early (head, less) is no failure of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.software);
});

try {
  await build().parseAsync(process.argv);
} catch (error) {
  const code = report(error);
  // A service that failed must end, whatever timer or thread is left.
  if (process.env.WARDEN_SERVICE !== undefined) process.exit(code);
  process.exitCode = code;
}
